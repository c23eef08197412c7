"""What a lead does on a document's page: gives an answer or the gold one, withdraws somebody's."""

from __future__ import annotations

import uuid

from django.db import transaction

from annotate.models import Annotation, Decision, Document, User
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


@transaction.atomic
def withdraw(*, annotation: Annotation, by: User) -> bool:
    """Let somebody's answer count no more, and keep it in its history; False where it is none.

    It stays as a row without labels, as a skipped one does: its document is asked of nobody by itself, and
    goes back to the queue where a lead returns it. Its annotator may answer anew.
    """
    standing = (
        Annotation.objects.select_for_update(no_key=True)
        .filter(pk=annotation.pk, outcome=Outcome.ANSWERED)
        .first()
    )
    if standing is None:
        return False
    said = standing.answer
    last = standing.decisions.order_by("pk").last()
    if last is None or last.outcome != Outcome.ANSWERED or not last.answer.same_choice(said):
        # An import keeps what it said as a decision only when something takes its place.
        Decision.objects.create(
            annotation=standing,
            card=uuid.uuid4(),
            outcome=Outcome.ANSWERED,
            answer=said,
            reason=standing.reason,
            seconds=standing.seconds,
        )
    was_gold = standing.is_gold
    standing.outcome, standing.is_gold, standing.reason = Outcome.WITHDRAWN, False, ""
    standing.save(update_fields=["outcome", "is_gold", "reason", "updated_at"])
    standing.say(Answer())
    events.record(
        EventKind.ANSWER_WITHDRAWN,
        by=by,
        project=standing.project,
        document=standing.document,
        subject=standing.annotator.get_username(),
        **({"was_gold": True} if was_gold else {}),
    )
    return True
