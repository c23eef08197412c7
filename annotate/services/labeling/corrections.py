"""What a lead says of a document on its page: an answer of their own, or the gold one that settles it."""

from __future__ import annotations

import uuid

from django.db import transaction

from annotate.models import Annotation, Document, User
from annotate.models.annotations import Outcome, Source
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.labeling import api_decisions, places
from training.types import Answer


@transaction.atomic
def answer(
    *, document: Document, by: User, key: uuid.UUID, answer: Answer, is_gold: bool, reason: str = ""
) -> Annotation:
    """Keep a lead's answer; a gold one takes the place of the gold answer before it, whosever that was.

    The answer that was gold stays as its annotator's. The same key with the same answer again changes
    nothing. Raises `Rejected`.

    NB: the document is locked, so that of two leads one gives the gold answer after the other; the lock of
    the project comes before it, as in all that takes both. Rows that refer to the document go on meanwhile.
    """
    if document.project.annotators_per_document > 1:
        places.wanted(document.project)
    Document.objects.select_for_update(no_key=True).get(pk=document.pk)
    golden = Annotation.objects.filter(document=document, is_gold=True).select_related("annotator").first()
    if golden is not None and is_gold and golden.annotator_id != by.pk:
        Annotation.objects.filter(pk=golden.pk).update(is_gold=False)
    kept = api_decisions.submit(
        document=document,
        annotator=by,
        key=key,
        outcome=Outcome.ANSWERED,
        answer=answer,
        reason=reason,
        source=Source.WEB,
    )
    was_gold = golden is not None and golden.pk == kept.pk
    if is_gold != was_gold:
        kept.is_gold = is_gold
        kept.save(update_fields=["is_gold", "updated_at"])
        before = golden.annotator.get_username() if golden is not None and not was_gold else ""
        events.record(
            EventKind.GOLD_GIVEN if is_gold else EventKind.GOLD_REMOVED,
            by=by,
            project=document.project,
            document=document,
            **({"in_place_of": before} if before else {}),
        )
    return kept
