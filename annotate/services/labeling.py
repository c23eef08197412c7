"""One person's decision on one document: kept once, whatever is sent twice or late."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from annotate.models import Annotation, AnnotationLabel, Assignment, Card, Decision, Label, Project, User
from annotate.models.annotations import AssignmentState, Outcome
from annotate.models.projects import TaskChoices


class Rejected(Exception):
    """A decision that cannot be kept; the message is a sentence for the annotator."""


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
    """Keep a decision and return the annotation as it stands; the same card again changes nothing.

    `shown` is the suggestion where the page showed another one than its card records.
    """
    dealt = _card(project, annotator, card)
    document = {"document_id": dealt.document_id, "annotator": annotator}
    if getattr(dealt, "is_answered", False):
        return Annotation.objects.get(**document)
    chosen = _checked_labels(project, outcome, label_ids)
    values: dict[str, Any] = {
        "project": project,
        "outcome": outcome,
        "reason": reason[:10_000],
        "seconds": seconds,
        "guidelines_version": project.guidelines_version,
        "shown_version_id": dealt.shown_version_id,
        "shown": dealt.shown if shown is None else shown,
    }
    annotation = Annotation.objects.filter(**document).first()
    created = annotation is None
    annotation = annotation or Annotation(**document)
    for name, value in values.items():
        setattr(annotation, name, value)
    annotation.save(force_insert=created)
    _choose(annotation, chosen, created=created)
    Decision.objects.create(
        annotation=annotation,
        card=card,
        outcome=outcome,
        label_ids=chosen,
        reason=values["reason"],
        seconds=seconds,
    )
    Assignment.objects.filter(**document).update(state=AssignmentState.DONE, expires_at=None)
    return annotation


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


def _card(project: Project, annotator: User, key: uuid.UUID) -> Card:
    answered = Exists(Decision.objects.filter(card=OuterRef("key")))
    # The lock makes the second of two equal requests wait, and then find the decision of the first.
    cards = Card.objects.select_for_update(of=("self",))
    cards = cards.filter(key=key, annotator=annotator, document__project=project)
    found = cards.annotate(is_answered=answered).first()
    if found is None:
        raise Rejected(_("This card was not given to you in this project. Reload the page for another."))
    return found


def _checked_labels(project: Project, outcome: str, label_ids: Sequence[int]) -> list[int]:
    if outcome not in Outcome.values:
        raise Rejected(_("A decision is answered, skipped or flagged, nothing else."))
    if outcome != Outcome.ANSWERED:
        return []
    wanted = list(dict.fromkeys(label_ids))
    if project.task == TaskChoices.SINGLE and len(wanted) != 1:
        raise Rejected(_("Choose exactly one label for this document."))
    known = set(Label.objects.live().filter(project=project, pk__in=wanted).values_list("pk", flat=True))
    if known != set(wanted):
        raise Rejected(
            _("A chosen label is not, or no longer, one of this project's labels. Reload the page.")
        )
    return wanted


def _choose(annotation: Annotation, chosen: Sequence[int], *, created: bool) -> None:
    if not created:
        annotation.choices.exclude(label__in=chosen).delete()
    rows = [AnnotationLabel(annotation=annotation, label_id=key) for key in chosen]
    if rows:
        AnnotationLabel.objects.bulk_create(rows, ignore_conflicts=True)
