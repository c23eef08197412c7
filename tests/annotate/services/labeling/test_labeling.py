from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Annotation, Assignment, Card, Decision, Document, Project, User
from annotate.services.labeling import decisions, queue
from training.types import Answer

pytestmark = pytest.mark.django_db


@pytest.fixture
def card(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> uuid.UUID:
    add_documents(project, "a red barn", "a green hill")
    return claimed(project, annotator)


def claimed(project: Project, annotator: User) -> uuid.UUID:
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    assert place.card is not None
    return place.card


def answer(project: Project, annotator: User, card: uuid.UUID, *names: str, **fields: object) -> Annotation:
    labels = [project.labels.get(name=name).pk for name in names]
    values = {"outcome": "answered", "answer": Answer(tuple(labels))} | fields
    return decisions.submit(project=project, annotator=annotator, card=card, **values)  # type: ignore[arg-type]


def names(annotation: Annotation) -> list[str]:
    return sorted(label.name for label in annotation.labels.all())


def test_it_keeps_a_decision(project: Project, annotator: User, card: uuid.UUID) -> None:
    kept = answer(project, annotator, card, "red", seconds=2.5)
    assert (names(kept), kept.seconds, kept.guidelines_version) == (["red"], 2.5, 1)
    assert Assignment.objects.get(card=card).state == "done"
    assert Decision.objects.get().answer == Answer((project.labels.get(name="red").pk,))


def test_the_same_answer_to_a_card_again_changes_nothing(
    project: Project, annotator: User, card: uuid.UUID
) -> None:
    answer(project, annotator, card, "red", seconds=1.0)
    again = answer(project, annotator, card, "red", seconds=2.0)
    assert (names(again), again.seconds) == (["red"], 1.0)
    assert Decision.objects.count() == 1


def test_another_answer_to_the_latest_card_revises_it_as_often_as_it_comes(
    project: Project, annotator: User, card: uuid.UUID
) -> None:
    for name in ("red", "blue", "blue", "green"):
        assert names(answer(project, annotator, card, name)) == [name]
    assert Decision.objects.count() == 3
    assert names(answer(project, annotator, card, "red")) == ["green"]  # the first request, late and again
    assert names(answer(project, annotator, card, outcome="skipped", reason="dull")) == []


def test_another_answer_to_a_card_before_the_latest_is_told(
    project: Project, annotator: User, card: uuid.UUID
) -> None:
    first = answer(project, annotator, card, "red")
    answer(project, annotator, decisions.reopen(annotation=first).key, "green")
    with pytest.raises(decisions.Rejected, match="decided on this document again since"):
        answer(project, annotator, card, "blue")
    assert names(Annotation.objects.get()) == ["green"]
    assert names(answer(project, annotator, card, "red")) == ["green"]  # nothing but a repeat
    assert Decision.objects.count() == 2


def test_each_card_has_answers_of_its_own(project: Project, annotator: User, card: uuid.UUID) -> None:
    later = decisions.reopen(annotation=answer(project, annotator, card, "red")).key
    for name in ("green", "red", "blue"):
        assert names(answer(project, annotator, later, name)) == [name]
    assert names(answer(project, annotator, later, "green")) == [
        "blue"
    ]  # what that card was sent first, late
    assert Decision.objects.count() == 4


def test_labels_sent_with_a_skip_are_no_part_of_it(
    project: Project, annotator: User, card: uuid.UUID
) -> None:
    for _ in range(2):
        skipped = answer(project, annotator, card, "red", outcome="skipped")
        assert (skipped.outcome, names(skipped)) == ("skipped", [])
    assert Decision.objects.get().answer == Answer()


def test_it_keeps_both_decisions_when_one_is_revised(
    project: Project, annotator: User, card: uuid.UUID
) -> None:
    first = answer(project, annotator, card, "red")
    revised = answer(project, annotator, decisions.reopen(annotation=first).key, "green")
    assert revised.pk == first.pk
    assert names(revised) == ["green"]
    assert Decision.objects.count() == 2


def test_it_keeps_an_answer_whose_lease_went_to_somebody_else(
    project: Project, annotator: User, lead: User, card: uuid.UUID
) -> None:
    Assignment.objects.filter(card=card).update(expires_at=timezone.now() - timedelta(seconds=1))
    other = claimed(project, lead)
    assert Card.objects.get(pk=other).document_id == Card.objects.get(pk=card).document_id
    answer(project, annotator, card, "red")
    answer(project, lead, other, "blue")
    assert Annotation.objects.count() == 2


def test_an_answer_to_a_document_that_went_to_somebody_else_is_late(
    project: Project, annotator: User, lead: User, card: uuid.UUID
) -> None:
    Assignment.objects.filter(card=card).update(expires_at=timezone.now() - timedelta(seconds=1))
    other = claimed(project, lead)
    late = answer(project, annotator, card, "red")
    assert (late.is_late, Annotation.objects.get().is_late) == (True, True)
    assert not Annotation.objects.late_doubles().exists()  # it is the only answer so far
    assert not answer(project, lead, other, "red").is_late
    assert Annotation.objects.late_doubles().get() == late
    Project.objects.update(annotators_per_document=2)
    assert not Annotation.objects.late_doubles().exists()


@pytest.mark.parametrize("wanted", [1, 2])
def test_an_answer_with_a_place_left_for_it_is_not_late(
    make_project: Callable[..., Project],
    add_documents: Callable[..., list[Document]],
    annotator: User,
    lead: User,
    wanted: int,
) -> None:
    project = make_project(annotators_per_document=wanted)
    add_documents(project, "a red barn")
    card = claimed(project, annotator)
    Assignment.objects.filter(card=card).update(expires_at=timezone.now() - timedelta(seconds=1))
    if wanted == 2:
        claimed(project, lead)
    assert not answer(project, annotator, card, "red").is_late


@pytest.mark.parametrize("chosen", [(), ("red", "blue")])
def test_it_rejects_another_number_of_labels_than_one(
    project: Project, annotator: User, card: uuid.UUID, chosen: tuple[str, ...]
) -> None:
    with pytest.raises(decisions.Rejected, match="exactly one"):
        answer(project, annotator, card, *chosen)
    assert not Annotation.objects.exists()


def test_it_rejects_an_archived_label(project: Project, annotator: User, card: uuid.UUID) -> None:
    project.labels.filter(name="red").update(archived_at=timezone.now())
    with pytest.raises(decisions.Rejected, match="no longer"):
        answer(project, annotator, card, "red")


def test_it_rejects_a_label_of_another_project(
    project: Project, multi_project: Project, annotator: User, card: uuid.UUID
) -> None:
    with pytest.raises(decisions.Rejected, match="no longer"):
        answer(project, annotator, card, answer=Answer((multi_project.labels.all()[0].pk,)))


def test_it_rejects_the_card_of_another_person(project: Project, lead: User, card: uuid.UUID) -> None:
    with pytest.raises(decisions.Rejected, match="not given to you"):
        answer(project, lead, card, "red")


def test_it_rejects_a_card_in_another_project(
    multi_project: Project, annotator: User, card: uuid.UUID
) -> None:
    with pytest.raises(decisions.Rejected, match="not given to you"):
        answer(multi_project, annotator, card, "red")


def test_it_takes_no_label_as_an_answer_where_any_number_may_apply(
    multi_project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(multi_project, "nothing of it")
    kept = answer(multi_project, annotator, claimed(multi_project, annotator))
    assert (kept.outcome, names(kept)) == ("answered", [])


def test_a_revision_may_keep_some_of_the_labels_and_change_others(
    multi_project: Project, annotator: User, add_documents: Callable[..., list[Document]]
) -> None:
    add_documents(multi_project, "two colours")
    card = claimed(multi_project, annotator)
    for chosen in (["green", "red"], ["blue", "red"], ["red"]):
        assert names(answer(multi_project, annotator, card, *chosen)) == chosen


def test_it_drops_the_labels_of_a_decision_revised_to_a_flag(
    project: Project, annotator: User, card: uuid.UUID
) -> None:
    first = answer(project, annotator, card, "red")
    key = decisions.reopen(annotation=first).key
    flagged = answer(project, annotator, key, outcome="flagged", reason="two colours")
    assert (flagged.outcome, flagged.reason, names(flagged)) == ("flagged", "two colours", [])


def test_it_goes_back_through_all_decisions(project: Project, annotator: User, card: uuid.UUID) -> None:
    first = answer(project, annotator, card, "red")
    second = answer(project, annotator, claimed(project, annotator), "green")
    assert decisions.previous(project=project, annotator=annotator) == second
    assert decisions.previous(project=project, annotator=annotator, before=second) == first
    assert decisions.previous(project=project, annotator=annotator, before=first) is None
