"""Decisions on a document that one chose oneself, which come without a card: the API's, and a lead's."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Annotation, Card, Decision, Document, User
from annotate.models.annotations import Source
from annotate.services.labeling import decisions, places
from training.types import Answer


class KeyReused(decisions.Rejected):
    """A key that was used for another request; the message says for which."""


@transaction.atomic
def submit(
    *,
    document: Document,
    annotator: User,
    key: uuid.UUID,
    outcome: str,
    answer: Answer,
    seconds: float | None = None,
    reason: str = "",
    source: Source = Source.API,
    digest: str = "",
) -> Annotation:
    """Keep a decision of one's own; the same key with the same decision again changes nothing.

    Raises `KeyReused` where the key came with another document or another decision before, and `Rejected`.
    """
    submission = decisions.Submission(key, outcome, answer, seconds, reason, digest=digest)
    by_several = document.project.annotators_per_document > 1
    if by_several:
        # NB: `fit` locks the project, and that lock comes before those that the decision takes.
        places.wanted(document.project)
    _card, is_new = Card.objects.get_or_create(
        key=key, defaults={"document": document, "annotator": annotator}
    )
    if not is_new:
        # NB: the lock makes the second of two equal requests wait for the decision of the first.
        card = Card.objects.select_for_update().get(key=key)
        if card.annotator_id != annotator.pk:
            raise KeyReused(_("This key was used already. Make a new one for each decision."))
        if card.document_id != document.pk:
            raise KeyReused(
                _("This key was used for document %(document)s. Make a new one for each decision.")
                % {"document": card.document_id}
            )
        kept = Decision.objects.select_related("annotation").filter(card=key).first()
        if kept is not None and decisions.is_same(kept, submission):
            return kept.annotation
        if kept is not None:
            raise KeyReused(
                _(
                    "This key was used for another decision on document %(document)s. "
                    "Make a new one for each decision, also to revise one."
                )
                % {"document": card.document_id}
            )
    kept_now = decisions.keep(project=document.project, annotator=annotator, submission=submission)
    annotation = kept_now.annotation
    # NB: whoever sends it chooses the document, so that an answer without a place is not late.
    annotation.source, annotation.is_late = source, False
    annotation.save(update_fields=["source", "is_late"])
    if by_several:
        # A document that was in nobody's queue is decided on by others as well from now on.
        places.fit(project=document.project, keys=[document.pk])
    return annotation
