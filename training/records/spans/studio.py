"""Label Studio's tasks with spans of a text: each annotation of a task is one answer.

NB: it counts UTF-16 units, as JavaScript does. A result says its text as well, which tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from training.records.spans.labelled import LabelledText
from training.spans import place
from training.types import Json, Span

CONTROL, SOURCE, TYPE = "label", "text", "labels"


def from_task(task: Mapping[str, Json], line: int = 0, *, text_name: str = "") -> list[LabelledText]:
    """Return a task's text once for each annotation, and once without spans where nobody gave any.

    `text_name` is the key of the text in the task's data; the one that results point at, or the first text,
    unless given.
    """
    data = task.get("data")
    if not isinstance(data, Mapping):
        return [LabelledText(line=line, problem="A task of Label Studio was expected here, with its data.")]
    name = text_name or next((str(key) for key, value in data.items() if isinstance(value, str)), "")
    text = data.get(name)
    if not isinstance(text, str):
        return [LabelledText(line=line, problem="The task of Label Studio has no text among its data.")]
    id = str(task.get("id", ""))
    said = task.get("annotations", task.get("completions"))
    found = [
        _annotation(text, one, line, id)
        for one in (said if isinstance(said, list) else [])
        if isinstance(one, Mapping) and not one.get("was_cancelled")
    ]
    return found or [LabelledText(text, line=line, id=id)]


def _annotation(text: str, annotation: Mapping[str, Json], line: int, id: str) -> LabelledText:
    spans: list[Span] = []
    faults: list[str] = []
    results = annotation.get("result")
    units = [0, *accumulate(2 if ord(sign) > 0xFFFF else 1 for sign in text)]
    place_of = {unit: i for i, unit in enumerate(units)}  # UTF-16 to code points
    for i, result in enumerate(results if isinstance(results, list) else [], start=1):
        value = result.get("value") if isinstance(result, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(value.get(TYPE), list):
            continue
        start, end, inside = value.get("start"), value.get("end"), value.get("text")
        if type(start) is not int or type(end) is not int:
            faults.append(f"Result {i} has no start and end in whole numbers.")
            continue
        places = [(place_of.get(start, -1), place_of.get(end, -1)), (start, end)]
        there = [at for at in places if 0 <= at[0] <= at[1] <= len(text)]
        if not there:
            faults.append(f"Result {i}: {start}-{end} is no place in the text.")
            continue
        right = [at for at in there if inside is None or text[at[0] : at[1]] == inside]
        if not right:
            faults.append(f"Result {i}: the text has something else at {start}-{end}.")
            continue
        spans += [Span(*right[0], str(label)) for label in value[TYPE]]
    return LabelledText(text, tuple(spans), line, id, faults=tuple(faults))


def to_task(found: LabelledText) -> dict[str, Json]:
    """Return a task that Label Studio imports, with the spans as one annotation."""
    units = [0, *accumulate(2 if ord(sign) > 0xFFFF else 1 for sign in found.text)]
    results = [
        {
            "from_name": CONTROL,
            "to_name": SOURCE,
            "type": TYPE,
            "value": {
                "start": units[span.start],
                "end": units[span.end],
                "text": found.text[span.start : span.end],
                TYPE: [span.label],
            },
        }
        for span in sorted(found.spans, key=place)
    ]
    about = {"id": found.id} if found.id else {}
    return {**about, "data": {SOURCE: found.text}, "annotations": [{"result": results}]}
