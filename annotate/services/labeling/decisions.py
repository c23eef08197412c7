"""Keeps one person's decision on one document exactly once, even if it is sent twice or late."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import Annotation, AnnotationLabel, Assignment, Card, Decision, Label, Project, User
from annotate.models.annotations import Outcome
from annotate.models.queue import AssignmentState
from annotate.services.labeling import hot_queries, places
from training.types import Answer

LONGEST_REASON = 10_000  # characters


class Rejected(Exception):
    """A decision that cannot be kept; the message is a sentence for the annotator."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What was sent for one card. `shown` is set where the page showed another suggestion than the card's."""

    card: uuid.UUID
    outcome: str
    label_ids: Sequence[int] = ()
    seconds: float | None = None
    reason: str = ""
    shown: list[list[Any]] | None = None


@transaction.atomic
def submit(
    *,
    project: Project,
    annotator: User,
    card: uuid.UUID,
    outcome: str,
    label_ids: Sequence[int] = (),
    seconds: float | None = None,
    reason: str = "",
    shown: list[list[Any]] | None = None,
) -> Annotation:
    """Keep a decision and return the annotation as it stands.

    The same decision on the same card again changes nothing. Another one revises the first, unless the person
    has decided on the document by a later card since.
    """
    answer = Submission(card, outcome, label_ids, seconds, reason, shown)
    return keep(project=project, annotator=annotator, answer=answer)


def keep(
    *, project: Project, annotator: User, answer: Submission, offered: Collection[int] | None = None
) -> Annotation:
    """Do what `submit` does, in the caller's transaction; `offered` are the live labels if read already."""
    key = answer.card
    dealt = hot_queries.CARD.first(key=key, annotator=annotator.pk, project=project.pk)
    if dealt is None:
        raise Rejected(_("This card was not given to you in this project. Reload the page for another."))
    document, shown_version, shown = dealt
    # NB: a query of its own: the one for the card would not see what was committed while it waited.
    standing = hot_queries.STANDING.first(document=document, annotator=annotator.pk, card=key)
    annotation = Annotation.objects.get(pk=standing[0]) if standing else None
    if standing and annotation and standing[1]:
        # The card was answered before.
        earlier = list(annotation.decisions.order_by("pk"))
        first = next(decision for decision in earlier if decision.card == key)
        if is_same(first, answer) or is_same(earlier[-1], answer):
            return annotation
        if earlier[-1].card not in (key, _revision(key, len(earlier) - 1)):
            raise Rejected(
                _(
                    "You have decided on this document again since, so this answer to its earlier card was "
                    "not kept. Go back to your decision to change it."
                )
            )
        key = _revision(key, len(earlier))
    chosen = _checked_labels(project, answer, offered)
    created = annotation is None
    annotation = annotation or Annotation(document_id=document, annotator=annotator)
    annotation.project = project
    annotation.outcome = answer.outcome
    annotation.reason = answer.reason[:LONGEST_REASON]
    annotation.seconds = answer.seconds
    annotation.guidelines_version = project.guidelines_version
    annotation.shown_version_id = shown_version
    annotation.shown = shown if answer.shown is None else answer.shown
    annotation.save(force_insert=created)
    if not created:
        annotation.choices.exclude(label__in=chosen).delete()
    # In the order of the keys, as a lead who renames labels locks them: the commit refers to each in turn.
    rows = [AnnotationLabel(annotation=annotation, label_id=label) for label in sorted(chosen)]
    AnnotationLabel.objects.bulk_create(rows, ignore_conflicts=not created)
    Decision.objects.create(
        annotation=annotation,
        card=key,
        outcome=answer.outcome,
        label_ids=chosen,
        reason=annotation.reason,
        seconds=answer.seconds,
    )
    own = Assignment.objects.filter(document=document, annotator=annotator)
    if not own.update(state=AssignmentState.DONE, expires_at=None) and created:
        places.take(document=document, annotator=annotator)
    return annotation


def is_same(decision: Decision, answer: Submission) -> bool:
    """Tell whether an answer says what a kept decision says; how long it took is no part of that."""
    labels = set(answer.label_ids) if answer.outcome == Outcome.ANSWERED else set()
    sent = (answer.outcome, labels, answer.reason[:LONGEST_REASON])
    return sent == (decision.outcome, set(decision.label_ids), decision.reason)


def _revision(card: uuid.UUID, number: int) -> uuid.UUID:
    """Return the key of a further decision on a card; the card's own is that of the first."""
    return uuid.uuid5(card, str(number))


def previous(*, project: Project, annotator: User, before: Annotation | None = None) -> Annotation | None:
    """Return the decision that `annotator` made before that one, or the latest; None at the beginning."""
    mine = Annotation.objects.filter(project=project, annotator=annotator)
    if before is not None:
        mine = mine.filter(pk__lt=before.pk)
    return mine.select_related("document").order_by("-pk").first()


@transaction.atomic
def reopen(*, annotation: Annotation) -> Card:
    """Return a fresh card of a decided document; an answer with its key revises the decision."""
    return Card.objects.create(
        document_id=annotation.document_id,
        annotator_id=annotation.annotator_id,
        shown_version_id=annotation.shown_version_id,
        shown=annotation.shown,
    )


def _checked_labels(project: Project, answer: Submission, offered: Collection[int] | None) -> list[int]:
    if answer.outcome not in Outcome.values:
        raise Rejected(_("A decision is answered, skipped or flagged, nothing else."))
    if answer.outcome != Outcome.ANSWERED:
        return []
    wanted = list(dict.fromkeys(answer.label_ids))
    if fault := project.task_type.fault(Answer(tuple(wanted))):
        raise Rejected(fault)
    if offered is None:
        offered = Label.objects.live().filter(project=project, pk__in=wanted).values_list("pk", flat=True)
    if not set(wanted) <= set(offered):
        raise Rejected(
            _("A chosen label is not, or no longer, one of this project's labels. Reload the page.")
        )
    return wanted
