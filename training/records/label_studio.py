"""Label Studio's JSON: each annotation of a task as a row, with its choices under the name of their control.

The format is described at https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from training.records.rows import Row
from training.types import Json

NOTE = (
    "This is an export of Label Studio: each choice stands in the column of its control, and what several "
    "annotators said of a task in rows of their own. Only choices are imported; other results are counted."
)
TOOL = "label_studio"
OTHERS = "results"  # the column that stands for results that are no choices
GOLD = "ground_truth"  # the column that says of an annotation that it is gold


def is_task(row: Row) -> bool:
    """Tell whether a row of JSON is a task as Label Studio exports it."""
    data, said = row.cells.get("data"), row.cells.get("annotations", row.cells.get("completions"))
    return isinstance(data, dict) and isinstance(said, list)


def flattened(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield each annotation of each task as a row; a task that nobody annotated is one without choices.

    Controls that later tasks have for the first time are columns of those rows alone. An annotation that was
    skipped says nothing.
    """
    for row in rows:
        if row.problem:
            yield row
        elif not is_task(row):
            yield Row(row.number, problem="A task of Label Studio was expected here, with its data.")
        else:
            yield from _annotations(row)


def _annotations(row: Row) -> Iterator[Row]:
    data: Mapping[str, Json] = row.cells["data"]
    about = {"id": row.cells.get("id", ""), **{str(name): value for name, value in data.items()}}
    said = row.cells.get("annotations", row.cells.get("completions"))
    others: Counter[str] = Counter()
    found = 0
    for annotation in said:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        choices: dict[str, list[Json]] = {}
        for result in _results(annotation):
            value = result.get("value")
            if result.get("type") == "choices" and isinstance(value, dict):
                name = _column(str(result.get("from_name") or "choice"), about)
                chosen = value.get("choices")
                choices.setdefault(name, []).extend(chosen if isinstance(chosen, list) else [chosen])
            else:
                others[str(result.get("type") or "none")] += 1
        if choices:
            found += 1
            gold = {GOLD: True} if annotation.get("ground_truth") else {}
            yield Row(row.number, {**about, **choices, **gold})
    if not found or others:
        faults = {}
        if others:
            kinds = ", ".join(f"“{kind}”" for kind in sorted(others))
            faults = {OTHERS: f"holds results of the type {kinds}; only “choices” are imported"}
        yield Row(row.number, about if not others else {**about, OTHERS: None}, faults=faults)


def _results(annotation: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    results = annotation.get("result")
    return (
        (result for result in results if isinstance(result, dict)) if isinstance(results, list) else iter(())
    )


def _column(name: str, about: Mapping[str, Json]) -> str:
    """Return the column of a control, told apart from one of the task's data."""
    return name if name not in about else f"{name} (chosen)"
