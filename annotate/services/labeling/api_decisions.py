"""Decisions that come without a card having been shown: those of the API."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction

from annotate.models import Annotation, Assignment, Card, Document, User
from annotate.models.annotations import Source
from annotate.models.queue import AssignmentState
from annotate.services.labeling import decisions


@transaction.atomic
def answer(
    *,
    document: Document,
    annotator: User,
    key: uuid.UUID,
    outcome: str,
    label_ids: Sequence[int],
    seconds: float | None = None,
    reason: str = "",
) -> Annotation:
    """Keep a decision of one's own; the same key again changes nothing. Raises `labeling.Rejected`."""
    Card.objects.get_or_create(key=key, defaults={"document": document, "annotator": annotator})
    _take_place(document, annotator)
    annotation = decisions.submit(
        project=document.project,
        annotator=annotator,
        card=key,
        outcome=outcome,
        label_ids=label_ids,
        seconds=seconds,
        reason=reason,
    )
    Annotation.objects.filter(pk=annotation.pk).update(source=Source.API)
    annotation.source = Source.API
    return annotation


def _take_place(document: Document, annotator: User) -> None:
    """Use up one waiting place in the queue, or somebody would be asked for this decision once more."""
    if document.assignments.filter(annotator=annotator).exists():
        return  # `submit` finishes the annotator's own place
    place = document.assignments.filter(state=AssignmentState.WAITING).order_by("slot").first()
    if place is not None:
        waiting = Assignment.objects.filter(pk=place.pk, state=AssignmentState.WAITING)
        waiting.update(state=AssignmentState.DONE, annotator=annotator)
