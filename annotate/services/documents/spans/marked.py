"""What people marked in one text, together: which spans there are, and who gave each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from annotate.models import Annotation, Document
from annotate.models.annotations import Outcome
from training.spans import place
from training.types import Answer, Span

MODEL = 0  # stands for the model where people have the keys of their annotations


@dataclass(frozen=True, slots=True)
class ModelMarks:
    """What a model marked in a text that it did not learn; `name` is what its version is called."""

    name: str
    answer: Answer


@dataclass(slots=True)
class MarkedSpan:
    """A span with its words; `by` are the names of who gave it, `keys` those of their annotations.

    `score` is the model's, where it gave the span and is calibrated.
    """

    span: Span
    label: str
    words: str
    by: list[str] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    score: float | None = None

    @property
    def value(self) -> str:
        """Return the span as a form sends it back."""
        return f"{self.span.start}-{self.span.end}-{self.span.label}"


def together(
    document: Document, said: Iterable[Annotation], names: Mapping[int, str], model: ModelMarks | None = None
) -> list[MarkedSpan]:
    """Return every span of some answers to a document and of a model, in the order of the text.

    A span with a label that is not in `names` is left out.
    """
    found: dict[Span, MarkedSpan] = {}
    given = [
        (row.annotator.get_username(), row.pk, row.answer) for row in said if row.outcome == Outcome.ANSWERED
    ]
    if model is not None:
        given.append((model.name, MODEL, model.answer))
    for name, key, answer in given:
        for span in answer.spans:
            if int(span.label) not in names:
                continue
            words = document.text[span.start : span.end]
            row = found.setdefault(span, MarkedSpan(span, names[int(span.label)], words))
            row.by.append(name)
            row.keys.append(key)
    if model is not None:
        for span, (_label, score) in zip(model.answer.spans, model.answer.span_scores, strict=False):
            if span in found:
                found[span].score = score
    return sorted(found.values(), key=lambda row: place(row.span))


def as_json(rows: Iterable[MarkedSpan], live: Iterable[int]) -> str:
    """Return the rows for a page's script: start, end, label, percent, who, keys; in labels that are live.

    NB: a page may still show an archived label's spans, but nobody can give it any more.
    """
    offered = set(live)
    return json.dumps(
        [
            [
                row.span.start,
                row.span.end,
                row.span.label,
                None if row.score is None else round(row.score * 100),
                ", ".join(row.by),
                row.keys,
            ]
            for row in rows
            if row.span.label in offered
        ]
    )
