"""What suggestions are worth, by the newest decisions."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from annotate.models import Annotation, Card, Document, Project, User
from annotate.services.labeling import decisions
from annotate.services.pages import suggestions
from tests.annotate.made.answered import answer as make_answer
from training.types import Answer

AddDocuments = Callable[..., list[Document]]


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    cache.clear()


def _suggestion(keys: dict[str, int], label: str | None) -> Answer | None:
    if label is None:
        return None
    return Answer((keys[label],), scores=((keys[label], 0.9),)) if label else Answer()


def _suggestion(keys: dict[str, int], label: str | None) -> Answer | None:
    if label is None:
        return None
    return Answer((keys[label],), scores=((keys[label], 0.9),)) if label else Answer()


def decide(
    document: Document, user: User, label: str, *, shown: str | None = None, seconds: float = 2.0
) -> Annotation:
    """Answer a card that suggested a label, or none."""
    keys = dict(document.project.labels.values_list("name", "pk"))
    said = (
        Answer() if shown == "" else Answer((keys[shown],), scores=((keys[shown], 0.9),)) if shown else None
    )
    card = Card.objects.create(key=uuid.uuid4(), document=document, annotator=user, shown=said)
    return decisions.submit(
        project=document.project,
        annotator=user,
        card=card.key,
        outcome="answered",
        answer=Answer((keys[label],)),
        seconds=seconds,
    )


def test_what_was_taken_is_compared_with_gold_and_with_what_came_later(
    project: Project, annotator: User, lead: User, add_documents: AddDocuments
) -> None:
    texts = add_documents(project, *(f"text {number}" for number in range(16)))
    for document in texts[:12]:
        decide(document, annotator, "red", shown="red")
    for document in texts[12:]:
        decide(document, annotator, "green", shown="red")
    for number, document in enumerate(texts[:11]):
        make_answer(document, lead, "blue" if number < 2 else "red")
    Annotation.objects.filter(annotator=lead).update(is_gold=True)
    card = decisions.reopen(annotation=Annotation.objects.get(document=texts[0], annotator=annotator))
    decisions.submit(
        project=project,
        annotator=annotator,
        card=card.key,
        outcome="answered",
        answer=Answer((project.labels.get(name="blue").pk,)),
    )
    found = suggestions.worth(project)
    assert (found.shown, found.taken, found.checked, found.right, found.corrected) == (16, 12, 11, 9, 1)
    assert found.share_right == pytest.approx(9 / 11)


def test_seconds_are_told_from_ten_decisions_on(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    texts = add_documents(project, *(f"text {number}" for number in range(20)))
    for number, document in enumerate(texts[:10]):
        decide(document, annotator, "red", shown="red", seconds=number)
    for document in texts[10:19]:
        decide(document, annotator, "red", seconds=9.0)
    found = suggestions.worth(project)
    assert (found.seconds_with, found.seconds_without) == (4.5, None)
    cache.clear()
    decide(texts[19], annotator, "red", seconds=9.0)
    assert suggestions.worth(project).seconds_without == 9.0


def test_a_suggestion_of_no_label_is_none(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    (document,) = add_documents(project, "one")
    decide(document, annotator, "red", shown="")
    assert suggestions.worth(project).shown == 0


def test_the_overview_tells_it_with_its_evidence(
    project: Project,
    annotator: User,
    lead: User,
    add_documents: AddDocuments,
    sign_in: Callable[[User], Client],
) -> None:
    texts = add_documents(project, *(f"text {number}" for number in range(10)))
    page = reverse("project", args=[project.slug])
    for number, document in enumerate(texts):
        if number == 9:
            assert "Suggestions taken" not in sign_in(lead).get(page).content.decode()
            cache.clear()
        decide(document, annotator, "red" if number else "green", shown="red")
    shown = sign_in(lead).get(page).content.decode()
    assert "90 % (9 of the newest 10)" in shown
    assert "with a suggestion 2.0 s, without not measurable yet" in shown
