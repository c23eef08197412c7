"""The cards that a page holds behind the one on the screen: which it gets, and which it lets go."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from annotate.models import Annotation, Assignment, Card, Document, ModelVersion, Project, User
from annotate.models.queue import AssignmentState
from annotate.services.labeling import ahead, decisions, queue
from training.types import Answer

pytestmark = pytest.mark.django_db
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def texts(make_project: Callable[..., Project], add_documents: AddDocuments) -> list[Document]:
    project = make_project(holdout_queue_share=0.0)
    documents = add_documents(project, *(f"text {i}" for i in range(8)))
    queue.refill(project=project, strategy="margin", version=None, documents=[d.pk for d in documents])
    return documents


@pytest.fixture
def project(texts: list[Document]) -> Project:
    return texts[0].project


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project, number=4, family="tfidf", bundle="x", labelled=1, holdout_documents=0
    )


def fill(project: Project, who: User, **held: Any) -> ahead.Deck:
    with transaction.atomic():
        return ahead.fill(project=project, annotator=who, held=ahead.Held(**held))


def keys(deck: ahead.Deck) -> tuple[uuid.UUID, ...]:
    return tuple(dealt.card.key for dealt in deck.dealt)


def held_by(project: Project, who: User) -> tuple[uuid.UUID, ...]:
    """Open a page: one card is shown, two wait behind it."""
    return keys(fill(project, who))


def place_of(card: uuid.UUID) -> Assignment:
    return Assignment.objects.get(card=card)


def documents_of(deck: ahead.Deck) -> list[Document]:
    return [dealt.document for dealt in deck.dealt]


def decide(project: Project, who: User, card: uuid.UUID) -> Annotation:
    return decisions.submit(project=project, annotator=who, card=card, outcome="skipped")


def test_it_leases_two_behind_the_one_that_is_shown_in_the_order_of_the_queue(
    project: Project, annotator: User, texts: list[Document]
) -> None:
    deck = fill(project, annotator)
    assert documents_of(deck) == texts[:3]
    assert [place_of(key).is_ahead for key in keys(deck)] == [False, True, True]


def test_a_decision_brings_one_more_and_makes_the_shown_one_a_lease_of_its_own(
    project: Project, annotator: User, texts: list[Document]
) -> None:
    decided, shown, waiting = held_by(project, annotator)
    decide(project, annotator, decided)
    deck = fill(project, annotator, shown=shown, ahead=(waiting,))
    assert documents_of(deck) == [texts[3]]
    assert deck.dropped == []
    assert (place_of(shown).is_ahead, place_of(waiting).is_ahead) == (False, True)


def test_a_card_whose_decision_is_on_its_way_is_not_given_again(project: Project, annotator: User) -> None:
    first, second, third = held_by(project, annotator)
    deck = fill(project, annotator, shown=third, decided=(first, second))
    assert len(deck.dealt) == 2
    assert not {first, second, third} & {*keys(deck)}


def test_a_page_that_is_opened_anew_gets_the_same_cards_the_shown_one_first(
    project: Project, annotator: User
) -> None:
    before = held_by(project, annotator)
    decide(project, annotator, before[0])
    (last,) = keys(fill(project, annotator, shown=before[1], ahead=before[2:]))
    # The one on the screen stands behind the others, as where a batch came meanwhile.
    Assignment.objects.filter(card=before[1]).update(rank=place_of(last).rank + 1)
    assert held_by(project, annotator) == (*before[1:], last)
    assert Card.objects.count() == 4


def test_what_another_page_shows_is_not_held_as_unseen(project: Project, annotator: User) -> None:
    first, on_the_other_page, third = held_by(project, annotator)
    fill(project, annotator, shown=on_the_other_page, ahead=(third,), decided=(first,))
    assert on_the_other_page in keys(fill(project, annotator, shown=first))
    assert (place_of(on_the_other_page).is_ahead, place_of(third).is_ahead) == (False, True)


def test_it_never_fills_the_queue(project: Project, annotator: User) -> None:
    Assignment.objects.all().delete()
    assert fill(project, annotator).dealt == []
    assert not Assignment.objects.exists()


def test_at_the_end_of_the_queue_it_is_filled_before_the_person_has_to_wait(
    project: Project, annotator: User, lead: User
) -> None:
    Assignment.objects.all().delete()
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    Assignment.objects.waiting().delete()
    held = ahead.Held(shown=place.card)
    deck = ahead.fill_from_filled(project=project, annotator=annotator, held=held)
    assert len(deck.dealt) == ahead.AHEAD
    # To hold them ahead is no reason to take what others hold ahead.
    Assignment.objects.waiting().delete()
    project.documents.unassigned().delete()
    theirs = queue.deal_from_filled(project=project, annotator=lead)
    assert theirs is not None
    held = ahead.Held(shown=theirs.card.key)
    assert ahead.fill_from_filled(project=project, annotator=lead, held=held).dealt == []


def test_with_several_places_a_document_is_held_once(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User
) -> None:
    project = make_project(slug="overlap", annotators_per_document=3, holdout_queue_share=0.0)
    documents = add_documents(project, "one", "two", "three")
    queue.refill(project=project, strategy="margin", version=None, documents=[d.pk for d in documents])
    assert documents_of(fill(project, annotator)) == documents


def newer_batch(project: Project, texts: list[Document], version: ModelVersion | None = None) -> None:
    queue.refill(project=project, strategy="margin", version=version, documents=[texts[7].pk, texts[6].pk])


def test_a_newer_batch_makes_way_for_itself_but_never_takes_the_card_on_the_screen(
    project: Project, annotator: User, texts: list[Document]
) -> None:
    shown, *waiting = held_by(project, annotator)
    newer_batch(project, texts)
    deck = fill(project, annotator, shown=shown, ahead=tuple(waiting))
    assert list(deck.dropped) == waiting
    assert documents_of(deck) == [texts[7], texts[6]]
    # Only the page lets them go: until it says so they are nobody else's.
    assert {place_of(key).annotator for key in (shown, *waiting)} == {annotator}
    fill(project, annotator, shown=shown, ahead=keys(deck), returned=tuple(waiting))
    assert not Assignment.objects.filter(card__in=waiting).exists()
    assert place_of(shown).state == AssignmentState.LEASED


def test_what_was_let_go_is_not_given_again_before_the_newer_batch(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    shown, *waiting = held_by(project, annotator)
    newer_batch(project, texts)
    fill(project, annotator, shown=shown, returned=tuple(waiting))
    assert {d.pk for d in documents_of(fill(project, lead))}.isdisjoint({texts[6].pk, texts[7].pk})
    mine = Assignment.objects.filter(annotator=annotator, is_ahead=True)
    assert {place.document for place in mine} == {texts[6], texts[7]}


def test_a_batch_of_which_nothing_is_left_makes_nothing_go(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    """What is put into the queue after a batch belongs to none; to replace it would bring the same again."""
    newer_batch(project, texts)
    held_by(project, lead)  # takes what the batch has
    queue.top_up(project=project)
    shown, *waiting = held_by(project, annotator)
    assert fill(project, annotator, shown=shown, ahead=tuple(waiting)).dropped == []


def test_a_newer_suggestion_comes_on_a_new_card_of_the_same_document(
    project: Project, annotator: User, texts: list[Document], version: ModelVersion
) -> None:
    shown, second, third = held_by(project, annotator)
    version.predictions.create(document=texts[1], answer=Answer((1,), scores=((1, 0.9),)))
    (last,) = keys(deck := fill(project, annotator, shown=shown, ahead=(second, third)))
    assert deck.dropped == [second]
    held = {"ahead": (third, last), "returned": (second,)}
    assert fill(project, annotator, shown=shown, **held).dealt == []  # the page holds two
    decide(project, annotator, shown)
    (fresh,) = fill(project, annotator, shown=third, ahead=(last,)).dealt
    assert (fresh.document, fresh.card.shown_version_id) == (texts[1], version.pk)
    assert fresh.card.key != second


def test_a_holdout_card_is_never_let_go_for_a_model(
    project: Project, annotator: User, texts: list[Document], version: ModelVersion
) -> None:
    Document.objects.filter(pk=texts[1].pk).update(lane="holdout", half="reporting")
    shown, second, third = held_by(project, annotator)
    version.predictions.create(document=texts[1], answer=Answer((1,), scores=((1, 0.9),)))
    newer_batch(project, texts)
    assert fill(project, annotator, shown=shown, ahead=(second, third)).dropped == [third]


def test_other_labels_make_all_go_that_nobody_has_seen(project: Project, annotator: User) -> None:
    shown, *waiting = held_by(project, annotator)
    held = ahead.Held(shown=shown, ahead=tuple(waiting))
    deck = ahead.fill(project=project, annotator=annotator, held=held, is_outdated=True)
    assert list(deck.dropped) == waiting
    assert len(deck.dealt) == 2


def test_a_card_is_gone_whose_document_was_deleted_or_whose_place_is_somebody_elses(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    shown, second, third = held_by(project, annotator)
    texts[1].delete()
    Assignment.objects.filter(card=third).update(expires_at=timezone.now() - timedelta(seconds=1))
    taken = queue.deal(project=project, annotator=lead)
    assert taken is not None
    assert taken.document == texts[2]
    assert fill(project, annotator, shown=shown, ahead=(second, third)).dropped == [second, third]


def test_nobody_starves_while_others_hold_cards_that_they_have_not_seen(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User, lead: User
) -> None:
    project = make_project(slug="few")
    add_documents(project, "one", "two", "three")
    assert queue.claim(project=project, annotator=annotator) is not None
    shown = place_of(Assignment.objects.get(annotator=annotator).card)  # type: ignore[arg-type]
    waiting = keys(fill(project, annotator, shown=shown.card))
    assert fill(project, lead).dealt == []  # not to hold them ahead in turn
    taken = queue.deal_from_filled(project=project, annotator=lead)
    assert taken is not None
    assert taken.document.pk not in {shown.document_id}
    gone = fill(project, annotator, shown=shown.card, ahead=waiting).dropped
    assert gone == [waiting[-1]]  # the one that it would have shown last
    # It was seen before the page knew: the decision is kept, and marked as late.
    assert decide(project, annotator, waiting[-1]).is_late


def test_a_card_that_was_seen_is_not_taken_over(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User, lead: User
) -> None:
    project = make_project(slug="one")
    add_documents(project, "one")
    assert queue.claim(project=project, annotator=annotator) is not None
    assert queue.deal_from_filled(project=project, annotator=lead) is None


def test_a_page_gives_back_only_its_own_and_what_nobody_has_seen(
    project: Project, annotator: User, lead: User
) -> None:
    mine, theirs = held_by(project, annotator), held_by(project, lead)
    fill(project, annotator, shown=mine[0], ahead=mine[1:], returned=(mine[0], *theirs))
    assert place_of(mine[0]).annotator == annotator
    assert {place_of(key).annotator for key in theirs} == {lead}


def test_the_pulse_names_what_has_to_go(project: Project, annotator: User, texts: list[Document]) -> None:
    _shown, *waiting = held_by(project, annotator)
    assert not ahead.past(project=project, annotator=annotator, cards=waiting)
    newer_batch(project, texts)
    assert [*ahead.past(project=project, annotator=annotator, cards=waiting)] == waiting


def test_a_lease_whose_card_is_gone_gets_another_one(project: Project, annotator: User) -> None:
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    Card.objects.filter(key=place.card).delete()
    again = queue.claim(project=project, annotator=annotator)
    assert again is not None
    assert again.document_id == place.document_id
    assert Card.objects.filter(key=again.card, document=place.document_id).exists()
