"""Texts with spans as JSON objects: our own form, those of doccano, Prodigy and spaCy.

Each counts Unicode code points. spaCy's is what `Doc.to_json` gives, or a pair of a text and its entities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.records.spans.labelled import LabelledText
from training.spans import place
from training.types import Json, Span

_NAMES = ("spans", "entities", "ents", "label", "labels")  # of the part that has the spans
_STARTS, _ENDS = ("start", "start_offset", "begin"), ("end", "end_offset")
_LABELS = ("label", "type", "tag")


def from_object(content: Json, line: int = 0) -> LabelledText:
    """Return the text of an object or of a pair; what is no span in it is a fault, and its place is told."""
    if isinstance(content, list) and len(content) == 2 and isinstance(content[1], dict):
        content = {"text": content[0], **content[1]}
    if not isinstance(content, Mapping) or not isinstance(content.get("text"), str):
        return LabelledText(line=line, problem="An object with a “text” was expected here.")
    name = next((name for name in _NAMES if isinstance(content.get(name), list)), "")
    faults: list[str] = []
    spans: list[Span] = []
    for i, one in enumerate(content.get(name, ())):
        span = _span(one)
        if isinstance(span, str):
            faults.append(f"Entry {i + 1} of “{name}” {span}.")
        else:
            spans.append(span)
    id = content.get("id")
    labels = () if name == "labels" else content.get("labels", ())
    if not isinstance(labels, list | tuple) or not all(isinstance(one, str) and one for one in labels):
        faults.append("The “labels” beside the spans are no list of names.")
        labels = ()
    return LabelledText(
        content["text"],
        tuple(spans),
        line,
        "" if id is None else str(id),
        faults=tuple(faults),
        labels=tuple(dict.fromkeys(labels)),
    )


def _span(one: Json) -> Span | str:
    """Return the span of an entry, or why it is none."""
    if isinstance(one, Mapping):
        start, end, label = (_first(one, names) for names in (_STARTS, _ENDS, _LABELS))
    elif isinstance(one, list) and len(one) == 3:
        start, end, label = one
    else:
        return "is no span with a start, an end and a label"
    if type(start) is not int or type(end) is not int:
        return "has no start and end in whole numbers"
    if not isinstance(label, str) or not label:
        return "has no label"
    return Span(start, end, label)


def _first(one: Mapping[str, Json], names: tuple[str, ...]) -> Any:
    return next((one[name] for name in names if name in one), None)


def to_object(found: LabelledText) -> dict[str, Json]:
    """Return our own form, which Prodigy reads as well."""
    spans = [{"start": span.start, "end": span.end, "label": span.label} for span in _ordered(found)]
    return {**_id(found), "text": found.text, "spans": spans}


def to_doccano(found: LabelledText) -> dict[str, Json]:
    """Return doccano's JSONL for sequence labelling."""
    label = [[span.start, span.end, span.label] for span in _ordered(found)]
    return {**_id(found), "text": found.text, "label": label}


def to_spacy(found: LabelledText) -> dict[str, Json]:
    """Return what `spacy.tokens.Doc.from_json` takes, with the tokens of `found`."""
    ents = [{"start": span.start, "end": span.end, "label": span.label} for span in _ordered(found)]
    tokens = [{"id": i, "start": start, "end": end} for i, (start, end) in enumerate(found.tokens)]
    return {**_id(found), "text": found.text, "ents": ents, "tokens": tokens}


def _id(found: LabelledText) -> dict[str, Json]:
    return {"id": found.id} if found.id else {}


def _ordered(found: LabelledText) -> Iterator[Span]:
    return iter(sorted(found.spans, key=place))
