"""Texts that people gave a label, the clearest first, for where two labels are close."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from annotate.models import Annotation, Assignment, Document, Label
from annotate.models.documents import Lane
from annotate.models.queue import AssignmentState

NUMBER = 3
LOOKED_AT = 200  # the latest of a label that has many: reading all would keep an annotator waiting
LONGEST = 240  # characters


@dataclass(frozen=True, slots=True)
class LabelExample:
    document: int
    text: str
    is_clipped: bool


def of_label(label: Label, *, besides: int | None = None) -> list[LabelExample]:
    """Return examples of a label without the document `besides`, which is on the annotator's card.

    People gave them this label, and nobody who answered gave them another one instead. Two kinds are never
    among them: holdout documents, whose later answers would no longer be blind, and documents that still
    wait for somebody's answer. The published model's score says how clear one is; where it has none, the
    latest come first.
    """
    answered = Annotation.objects.answered().filter(document=OuterRef("pk"))
    given = answered.filter(labels=label, annotator__is_machine=False)
    otherwise = answered.exclude(pk__in=Annotation.objects.filter(labels=label).values("pk"))
    open_places = Assignment.objects.filter(document=OuterRef("pk")).exclude(state=AssignmentState.DONE)
    documents = Document.objects.filter(
        Exists(given), ~Exists(otherwise), ~Exists(open_places), project=label.project_id, lane=Lane.POOL
    )
    if besides is not None:
        documents = documents.exclude(pk=besides)
    latest = documents.select_related("prediction").defer("meta").order_by("-pk")[:LOOKED_AT]
    clearest = sorted(latest, key=lambda document: -_score(document, label))  # stable: the latest first
    return [
        LabelExample(document.pk, _clipped(document.text), len(document.text) > LONGEST)
        for document in clearest[:NUMBER]
    ]


def _score(document: Document, label: Label) -> float:
    prediction = getattr(document, "prediction", None)
    scores = dict(prediction.answer.scores) if prediction else {}
    return scores.get(label.pk) or 0.0


def _clipped(text: str) -> str:
    """Return the beginning of a long text, up to the end of a word where it has blanks."""
    if len(text) <= LONGEST:
        return text
    start = text[:LONGEST]
    return (start.rsplit(maxsplit=1)[0] if len(start.split()) > 1 else start).rstrip()
