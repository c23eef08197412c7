"""Decisions of people who were removed while they labelled: leads see them, and accept or discard each."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Annotation, Card, HandedOnAnswer, Label, Project, User
from annotate.models.annotations import DECIDABLE
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.labeling import decisions
from annotate.task_types import answers

TAKEN_BACK_WITHIN = timedelta(days=1)


@transaction.atomic
def hand_on(*, card: Card, submission: decisions.Submission) -> HandedOnAnswer:
    """Keep a decision for the leads; the same again changes nothing, another one takes its place.

    Raises `Rejected` where it cannot be an answer of the project, or a lead has settled it already.
    """
    project, labels = card.document.project, answers.labels_of(submission.answer)
    if submission.outcome not in DECIDABLE:
        raise decisions.Rejected(_("A decision is answered, skipped or flagged, nothing else."))
    if Label.objects.filter(project=project, pk__in=labels).count() != len(set(labels)):
        raise decisions.Rejected(_("A chosen label is not one of this project's labels."))
    sent = {
        "outcome": submission.outcome,
        "answer": submission.answer,
        "reason": submission.reason[: decisions.LONGEST_REASON],
        "seconds": submission.seconds,
    }
    of_card = {"project": project, "document": card.document, "annotator_id": card.annotator_id}
    row, is_new = HandedOnAnswer.objects.get_or_create(card=card.key, defaults=of_card | sent)
    if not is_new and not decisions.is_same(row, submission):
        if not HandedOnAnswer.objects.filter(pk=row.pk, settled_at=None).update(**sent):
            raise decisions.Rejected(_("A lead has settled another answer of yours to this document."))
        row.refresh_from_db()
    return row


def waiting(project: Project) -> QuerySet[HandedOnAnswer]:
    """Return what no lead has settled yet, the oldest first."""
    return project.handed_on.filter(settled_at=None).select_related("document", "annotator").order_by("pk")


@transaction.atomic
def accept(*, handed_on: HandedOnAnswer, by: User) -> Annotation | None:
    """Keep the decision as its annotator's; None where it was settled meanwhile. Raises `Rejected`."""
    if not _settle(handed_on, by, is_accepted=True):
        return None
    Card.objects.get_or_create(
        key=handed_on.card, defaults={"document": handed_on.document, "annotator": handed_on.annotator}
    )
    submission = decisions.Submission(
        handed_on.card, handed_on.outcome, handed_on.answer, handed_on.seconds, handed_on.reason
    )
    kept = decisions.keep(project=handed_on.project, annotator=handed_on.annotator, submission=submission)
    return kept.annotation


@transaction.atomic
def discard(*, handed_on: HandedOnAnswer, by: User) -> bool:
    """Put the decision aside; False where it was settled meanwhile."""
    return _settle(handed_on, by, is_accepted=False)


def discarded(project: Project) -> QuerySet[HandedOnAnswer]:
    """Return what was discarded so lately that it can be taken back, the newest first."""
    since = timezone.now() - TAKEN_BACK_WITHIN
    rows = project.handed_on.filter(is_accepted=False, settled_at__gte=since)
    return rows.select_related("annotator", "settled_by").order_by("-settled_at")


@transaction.atomic
def reopen(*, handed_on: HandedOnAnswer, by: User) -> bool:
    """Let a discarded decision wait again; False where it waits already, or was discarded too long ago."""
    if not discarded(handed_on.project).filter(pk=handed_on.pk).update(settled_at=None, settled_by=None):
        return False
    _record(EventKind.HANDED_ON_REOPENED, handed_on, by)
    return True


def _settle(handed_on: HandedOnAnswer, by: User, *, is_accepted: bool) -> bool:
    mine = HandedOnAnswer.objects.filter(pk=handed_on.pk, settled_at=None)
    if not mine.update(settled_at=timezone.now(), settled_by=by, is_accepted=is_accepted):
        return False
    _record(EventKind.HANDED_ON_ACCEPTED if is_accepted else EventKind.HANDED_ON_DISCARDED, handed_on, by)
    return True


def _record(kind: EventKind, handed_on: HandedOnAnswer, by: User) -> None:
    events.record(
        kind,
        by=by,
        project=handed_on.project,
        document=handed_on.document,
        subject=handed_on.annotator.get_username(),
    )
