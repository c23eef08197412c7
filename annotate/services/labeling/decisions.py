"""Keeps one person's decision on one document exactly once, even if it is sent twice or late."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotate.models import (
    Annotation,
    Assignment,
    Card,
    Decision,
    Document,
    HandedOnAnswer,
    Label,
    Project,
    User,
)
from annotate.models.annotations import DECIDABLE, Outcome
from annotate.models.queue import AssignmentState
from annotate.services import sentences
from annotate.services.labeling import hot_queries, places
from annotate.task_types import answers
from training.types import Answer

LONGEST_REASON = 10_000  # characters


class Rejected(Exception):
    """A decision that cannot be kept; the message is a sentence for the annotator."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What was sent for one card. `hid_suggestion` is set where its page did not show the suggestion.

    `digest` is that of the text that was answered, where the page tells it: spans are of no other text.
    """

    card: uuid.UUID
    outcome: str
    answer: Answer = Answer()
    seconds: float | None = None
    reason: str = ""
    hid_suggestion: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of a decision; `replaced` is the other answer to the same card, in words, or empty."""

    annotation: Annotation
    replaced: str = ""


@transaction.atomic
def submit(
    *,
    project: Project,
    annotator: User,
    card: uuid.UUID,
    outcome: str,
    answer: Answer = Answer(),  # noqa: B008  (frozen)
    seconds: float | None = None,
    reason: str = "",
) -> Annotation:
    """Keep a decision and return the annotation as it stands.

    The same decision on the same card again changes nothing. Another one revises the first, unless the person
    has decided on the document by a later card since.
    """
    submission = Submission(card, outcome, answer, seconds, reason)
    return keep(project=project, annotator=annotator, submission=submission).annotation


def keep(
    *, project: Project, annotator: User, submission: Submission, offered: Collection[int] | None = None
) -> Kept:
    """Do what `submit` does, in the caller's transaction; `offered` are the live labels if read already."""
    key, replaced = submission.card, ""
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
        if is_same(first, submission) or is_same(earlier[-1], submission):
            return Kept(annotation)
        replaced = in_words(earlier[-1].outcome, earlier[-1].answer)
        if earlier[-1].card not in (key, _revision(key, len(earlier) - 1)):
            raise Rejected(
                _(
                    "You have decided on this document again since: %(kept)s. So this answer to its earlier "
                    "card was not kept: %(sent)s. Go back to your decision to change it."
                )
                % {"kept": replaced, "sent": in_words(submission.outcome, submission.answer)}
            )
        key = _revision(key, len(earlier))
    said, meant = _checked(project, submission, offered)
    _check_text(project, document, submission, meant)
    created = annotation is None
    annotation = annotation or Annotation(document_id=document, annotator=annotator)
    annotation.project = project
    annotation.outcome = submission.outcome
    annotation.reason = submission.reason[:LONGEST_REASON]
    annotation.seconds = submission.seconds
    annotation.guidelines_version = project.guidelines_version
    annotation.shown_version_id = shown_version
    annotation.shown = None if submission.hid_suggestion else shown
    annotation.save(force_insert=created)
    annotation.say(meant, is_new=created)
    Decision.objects.create(
        annotation=annotation,
        card=key,
        outcome=submission.outcome,
        answer=said,
        reason=annotation.reason,
        seconds=submission.seconds,
    )
    own = Assignment.objects.filter(document=document, annotator=annotator)
    has_place = bool(own.update(state=AssignmentState.DONE, expires_at=None, is_ahead=False)) or not created
    if not has_place and not places.take(document=document, annotator=annotator):
        Annotation.objects.filter(pk=annotation.pk).update(is_late=True)
        annotation.is_late = True
    return Kept(annotation, replaced)


def in_words(outcome: str, answer: Answer) -> str:
    """Return a decision as people read it, with the names of its labels."""
    if outcome != Outcome.ANSWERED:
        return str(Outcome(outcome).label) if outcome in Outcome.values else outcome
    labels = answers.labels_of(answer)
    names = Label.objects.filter(pk__in=labels).values_list("name", flat=True)
    if answer.spans:
        told = ngettext("%(n)s span: %(names)s", "%(n)s spans: %(names)s", len(answer.spans))
        return told % {"n": len(answer.spans), "names": ", ".join(f"“{name}”" for name in names)}
    if answer.labels:
        return ", ".join(f"“{name}”" for name in names) or _("a label that is not there")
    return _("none applies")


def is_same(decision: Decision | HandedOnAnswer, sent: Submission) -> bool:
    """Tell whether what was sent says what a kept decision says; how long it took is no part of that."""
    answer = sent.answer if sent.outcome == Outcome.ANSWERED else Answer()
    is_same_turn = (sent.outcome, sent.reason[:LONGEST_REASON]) == (decision.outcome, decision.reason)
    return is_same_turn and answer.same_choice(decision.answer)


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


def _checked(project: Project, sent: Submission, offered: Collection[int] | None) -> tuple[Answer, Answer]:
    """Return the answer as it was sent, and the one that it means: in labels that are offered.

    A page goes on to show a label that was merged meanwhile.
    """
    if sent.outcome not in DECIDABLE:
        raise Rejected(_("A decision is answered, skipped or flagged, nothing else."))
    if sent.outcome != Outcome.ANSWERED:
        return Answer(), Answer()
    answer = answers.translated(sent.answer, {})  # each label once
    if fault := project.task_type.fault(answer):
        raise Rejected(sentences.translated(fault))
    chosen = set(map(int, answers.labels_of(answer)))
    if offered is None:
        offered = Label.objects.live().filter(project=project, pk__in=chosen).values_list("pk", flat=True)
    if chosen <= set(offered):
        _check_kinds(project, answer)
        return answer, answer
    became = Label.objects.successors(project.pk)
    # NB: a page may send any number, which no database need be able to hold.
    live = set(Label.objects.live().filter(project=project).values_list("pk", flat=True))
    if {became.get(label, label) for label in chosen} <= live:
        meant = answers.translated(answer, became)
        _check_kinds(project, meant)
        return answer, meant
    raise Rejected(_("A chosen label is not, or no longer, one of this project's labels. Reload the page."))


def _check_kinds(project: Project, meant: Answer) -> None:
    """Refuse a label of whole documents on a piece of the text, and the other way round."""
    if not project.task_type.has_kinds:
        return
    of_spans = set(project.labels.filter(of_spans=True).values_list("pk", flat=True))
    if fault := project.task_type.kind_fault(meant, of_spans):
        raise Rejected(fault)


def _check_text(project: Project, document: int, sent: Submission, meant: Answer) -> None:
    """Refuse spans that cannot be those of the text: it may have been changed since it was shown."""
    if not meant.spans:
        return
    text = Document.objects.values_list("text", flat=True).get(pk=document)
    if sent.digest and sent.digest != hashlib.sha256(text.encode()).hexdigest():
        raise Rejected(
            _(
                "The text has been changed since it was shown to you, so your spans would stand at other "
                "words. They were not kept: mark the text as it is now."
            )
        )
    if fault := project.task_type.text_fault(meant, text):
        raise Rejected(sentences.translated(fault))
