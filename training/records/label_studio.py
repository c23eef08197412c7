"""Label Studio's JSON: each annotation of a task as a row, with what was said under the name of its control.

The format is described at https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from training.records.rows import Row
from training.records.spans.objects import to_object
from training.records.spans.studio import TYPE as SPANS
from training.records.spans.studio import from_task
from training.types import Json

NOTE = (
    "This is an export of Label Studio: what was chosen and marked stands in the column of its control, and "
    "what several annotators said of a task in rows of their own. Choices and spans of a text are imported; "
    "other results are counted."
)
TOOL = "label_studio"
OTHERS = "results"  # the column that stands for results of other kinds
GOLD = "ground_truth"  # the column that says of an annotation that it is gold


def is_task(row: Row) -> bool:
    """Tell whether a row of JSON is a task as Label Studio exports it."""
    data, said = row.cells.get("data"), row.cells.get("annotations", row.cells.get("completions"))
    return isinstance(data, dict) and isinstance(said, list)


def flattened(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield each annotation of each task as a row; a task that nobody annotated is one without choices.

    Controls that later tasks have for the first time are columns of those rows alone. An annotation that was
    skipped says nothing; one without results says that there is nothing to mark, once a control is known that
    marks spans.
    """
    marking: dict[str, None] = {}
    for row in rows:
        if row.problem:
            yield row
        elif not is_task(row):
            yield Row(row.number, problem="A task of Label Studio was expected here, with its data.")
        else:
            yield from _annotations(row, marking)


def _annotations(row: Row, marking: dict[str, None]) -> Iterator[Row]:
    """Yield the rows of a task; `marking` has the columns of spans so far, to which its own are added."""
    data: Mapping[str, Json] = row.cells["data"]
    about = {"id": row.cells.get("id", ""), **{str(name): value for name, value in data.items()}}
    annotations = row.cells.get("annotations", row.cells.get("completions"))
    others: Counter[str] = Counter()
    found = 0
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        said: dict[str, list[Json]] = {}
        marks: dict[str, list[Json]] = {}
        for result in _results(annotation):
            value, name = result.get("value"), str(result.get("from_name") or "choice")
            if result.get("type") == "choices" and isinstance(value, dict):
                chosen = value.get("choices")
                column = _column(name, about)
                said.setdefault(column, []).extend(chosen if isinstance(chosen, list) else [chosen])
            elif result.get("type") == SPANS and isinstance(value, dict):
                marks.setdefault(_column(name, about), []).append(result)
            else:
                others[str(result.get("type") or "none")] += 1
        marking |= dict.fromkeys(marks)
        if not _has_results(annotation):
            said |= {column: [] for column in marking}
        if said or marks:
            found += 1
            faults = {}
            for column, results in marks.items():
                (text,) = from_task({**row.cells, "annotations": [{**annotation, "result": results}]})
                said[column] = to_object(text)["spans"]
                if why := text.problem or next(iter(text.faults), ""):
                    faults[column] = f"cannot be taken whole. {why.rstrip('.')}"
            gold = {GOLD: True} if annotation.get("ground_truth") else {}
            yield Row(row.number, {**about, **said, **gold}, faults=faults)
    if not found or others:
        unread = {}
        if others:
            kinds = ", ".join(f"“{kind}”" for kind in sorted(others))
            unread = {OTHERS: f"holds results of the type {kinds}; only “choices” and “labels” are imported"}
        yield Row(row.number, about if not others else {**about, OTHERS: None}, faults=unread)


def _has_results(annotation: Mapping[str, Json]) -> bool:
    return bool(annotation.get("result"))


def _results(annotation: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    results = annotation.get("result")
    return (
        (result for result in results if isinstance(result, dict)) if isinstance(results, list) else iter(())
    )


def _column(name: str, about: Mapping[str, Json]) -> str:
    """Return the column of a control, told apart from one of the task's data."""
    return name if name not in about else f"{name} (chosen)"
