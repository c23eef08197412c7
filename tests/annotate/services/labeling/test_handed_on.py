"""Answers that were handed on: kept once, revised until a lead has settled them, and never kept by force."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.utils import timezone

from annotate.models import Annotation, Card, Document, HandedOnAnswer, Project, User
from annotate.services.labeling import decisions, handed_on
from training.types import Answer

pytestmark = pytest.mark.django_db


@pytest.fixture
def card(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> Card:
    (document,) = add_documents(project, "a red barn")
    return Card.objects.create(document=document, annotator=annotator)


def hand_on(card: Card, name: str, **fields: str) -> HandedOnAnswer:
    label = card.document.project.labels.get(name=name).pk
    sent = decisions.Submission(card.key, fields.get("outcome", "answered"), Answer((label,)))
    return handed_on.hand_on(card=card, submission=sent)


def test_the_same_again_changes_nothing_and_another_takes_its_place(card: Card) -> None:
    first = hand_on(card, "red")
    assert hand_on(card, "red") == first
    changed = hand_on(card, "blue")
    assert changed == first
    assert decisions.in_words(changed.outcome, changed.answer) == "“blue”"
    assert HandedOnAnswer.objects.count() == 1


def test_what_a_lead_has_settled_stays(card: Card, lead: User) -> None:
    row = hand_on(card, "red")
    assert handed_on.discard(handed_on=row, by=lead)
    hand_on(card, "red")
    with pytest.raises(decisions.Rejected, match="has settled another answer"):
        hand_on(card, "blue")
    assert handed_on.accept(handed_on=row, by=lead) is None
    assert not Annotation.objects.exists()


def test_an_answer_that_cannot_be_kept_stays_for_the_lead(card: Card, project: Project, lead: User) -> None:
    row = hand_on(card, "red")
    project.labels.filter(name="red").update(archived_at=timezone.now())
    with pytest.raises(decisions.Rejected, match="no longer"):
        handed_on.accept(handed_on=row, by=lead)
    assert handed_on.waiting(project).get() == row


def test_an_accepted_answer_outlives_its_card(
    card: Card, project: Project, annotator: User, lead: User
) -> None:
    row = hand_on(card, "red")
    card.delete()
    kept = handed_on.accept(handed_on=row, by=lead)
    assert kept is not None
    assert (kept.annotator, kept.labels.get().name) == (annotator, "red")


def test_an_unknown_outcome_is_refused(card: Card) -> None:
    with pytest.raises(decisions.Rejected, match="nothing else"):
        hand_on(card, "red", outcome="shouted")
