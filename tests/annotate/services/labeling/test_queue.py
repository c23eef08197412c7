from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from annotate.models import Assignment, Card, Document, ModelVersion, Project, User, WorkerPulse
from annotate.services.labeling import decisions, hot_queries, queue
from training.types import Answer

pytestmark = pytest.mark.django_db
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def texts(project: Project, add_documents: AddDocuments) -> list[Document]:
    return add_documents(project, *(f"text {i}" for i in range(6)))


def claim(project: Project, annotator: User) -> Assignment:
    place = queue.claim(project=project, annotator=annotator)
    assert place is not None
    return place


def finish(project: Project, annotator: User) -> Document:
    place = claim(project, annotator)
    assert place.card is not None
    decisions.submit(project=project, annotator=annotator, card=place.card, outcome="skipped")
    return place.document


def expire() -> None:
    Assignment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))


def test_it_gives_a_document_to_one_person_only(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    given = [finish(project, person) for _ in range(3) for person in (annotator, lead)]
    assert sorted(document.pk for document in given) == sorted(document.pk for document in texts)
    assert queue.claim(project=project, annotator=annotator) is None


def test_it_gives_the_same_card_until_it_is_decided(
    project: Project, annotator: User, texts: list[Document]
) -> None:
    assert claim(project, annotator).card == claim(project, annotator).card
    assert Card.objects.count() == 1


def test_it_gives_an_expired_place_to_the_next_person(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    left = claim(project, annotator)
    expire()
    taken = claim(project, lead)
    assert taken.document == left.document
    assert taken.card != left.card
    assert claim(project, annotator).document != left.document


def test_it_keeps_a_renewed_lease(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    mine = claim(project, annotator)
    expire()
    assert mine.card is not None
    assert queue.renew(project=project, annotator=annotator, cards=[mine.card])
    assert claim(project, lead).document != mine.document


def test_it_does_not_renew_a_lease_that_somebody_else_has(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    mine = claim(project, annotator)
    expire()
    claim(project, lead)
    assert mine.card is not None
    assert not queue.renew(project=project, annotator=annotator, cards=[mine.card])


def test_it_offers_a_released_place_soon_but_not_before_the_person_may_have_come_back(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    mine = claim(project, annotator)
    assert mine.card is not None
    assert queue.release(annotator=annotator, cards=[mine.card])
    mine.refresh_from_db()
    assert mine.expires_at is not None
    left = (mine.expires_at - timezone.now()).total_seconds()
    assert 10 < left <= queue.RELEASE_SECONDS  # a page that is still open renews every 10 seconds
    assert claim(project, lead).document != mine.document
    again = claim(project, annotator)
    assert (again.card, again.expires_at > mine.expires_at) == (mine.card, True)  # type: ignore[operator]


def test_it_does_not_release_somebody_elses_place_nor_lengthen_a_lease(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    mine = claim(project, annotator)
    assert mine.card is not None
    assert not queue.release(annotator=lead, cards=[mine.card])
    expire()
    assert not queue.release(annotator=annotator, cards=[mine.card])
    assert claim(project, lead).document == mine.document


def test_it_asks_as_many_people_as_the_project_wants_and_nobody_twice(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User, lead: User
) -> None:
    project = make_project(annotators_per_document=2)
    add_documents(project, "one", "two")
    for person in (annotator, lead):
        assert {finish(project, person).text for _ in range(2)} == {"one", "two"}
        assert queue.claim(project=project, annotator=person) is None


def test_it_does_not_offer_what_the_person_has_decided_elsewhere(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User
) -> None:
    project = make_project(annotators_per_document=2)
    (document,) = add_documents(project, "one")
    queue.top_up(project=project)
    project.annotations.create(document=document, annotator=annotator, outcome="answered", source="api")
    assert queue.claim(project=project, annotator=annotator) is None


def test_it_goes_round_to_the_start_of_the_random_order(project: Project, texts: list[Document]) -> None:
    found = Document.objects.filter(project=project).at_random(6, "f" * 64)
    assert len({document.pk for document in found}) == 6


def test_it_reads_unassigned_documents_in_random_order_from_the_index(project: Project) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's plan")
    documents = Document.objects.filter(project=project, lane="pool").unassigned().defer("text", "meta")
    plan = documents.filter(sha256__gte="8").order_by("sha256")[:60].explain()
    assert "document_random_order" in plan
    assert "TEMP B-TREE" not in plan


def test_it_claims_from_the_index_in_queue_order(project: Project, annotator: User) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("reads SQLite's plan")
    plan = hot_queries.NEXT_WAITING.build(project=project.pk, annotator=annotator.pk).explain()
    assert "assignment_queue_order" in plan
    assert "TEMP B-TREE" not in plan


def test_it_takes_few_queries_to_decide_and_claim(
    project: Project, annotator: User, texts: list[Document], django_assert_max_num_queries: Any
) -> None:
    place = claim(project, annotator)
    assert place.card is not None
    chosen = [project.labels.all()[0].pk]
    sent = decisions.Submission(card=place.card, outcome="answered", answer=Answer(tuple(chosen)))
    # PostgreSQL leases within a savepoint.
    with django_assert_max_num_queries(10 if connection.vendor == "sqlite" else 12):
        decisions.keep(project=project, annotator=annotator, submission=sent, offered=chosen)
        assert queue.deal(project=project, annotator=annotator)


def test_it_puts_a_batch_in_place_of_untouched_documents(
    project: Project, annotator: User, texts: list[Document]
) -> None:
    leased = claim(project, annotator).document
    wanted = [document for document in texts if document != leased][3:1:-1]
    queue.refill(
        project=project, strategy="margin", version=None, documents=[leased.pk, *(d.pk for d in wanted)]
    )
    waiting = Assignment.objects.waiting().order_by("rank")
    assert [place.document for place in waiting] == wanted
    assert Assignment.objects.leased().get().document == leased


def test_it_leaves_the_other_places_of_a_touched_document(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User
) -> None:
    project = make_project(annotators_per_document=2)
    add_documents(project, "one", "two")
    document = finish(project, annotator)
    queue.refill(project=project, strategy="margin", version=None, documents=[])
    assert Assignment.objects.waiting().get().document == document


def test_it_interleaves_holdout_documents_at_the_projects_share(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.5)
    pool = add_documents(project, *(f"pool {i}" for i in range(40)))
    add_documents(project, *(f"held {i}" for i in range(60)), lane="holdout")
    queue.refill(project=project, strategy="margin", version=None, documents=[d.pk for d in pool])
    lanes = [place.document.lane for place in Assignment.objects.order_by("rank")]
    assert lanes.count("pool") == 40
    assert 5 <= lanes.count("holdout") <= 80
    assert len(set(lanes[:20])) == 2


def test_it_bridges_the_time_to_a_choice_with_holdout_documents(
    project: Project, annotator: User, texts: list[Document], add_documents: AddDocuments
) -> None:
    add_documents(project, "held 1", "held 2", lane="holdout")
    add_documents(project, *(f"more {i}" for i in range(40)))
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now())
    assert queue.top_up(project=project) == queue.BRIDGE
    assert Assignment.objects.filter(document__lane="holdout").count() == 2


def test_it_does_not_bridge_for_a_worker_that_is_silent(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.0)
    add_documents(project, *(f"text {i}" for i in range(80)))
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now() - timedelta(seconds=35))
    assert queue.top_up(project=project) == queue.TOP_UP


def test_it_bridges_with_holdout_documents_up_to_twice_their_share(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.1)
    add_documents(project, *(f"held {i}" for i in range(150)), lane="holdout")
    add_documents(project, *(f"text {i}" for i in range(300)))
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now())
    for _ in range(15):
        assert queue.top_up(project=project) == queue.BRIDGE
    assert Assignment.objects.filter(document__lane="holdout").count() == 60


def test_the_first_two_blocks_may_bridge_with_holdout_documents_alone(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.1)
    add_documents(project, *(f"held {i}" for i in range(150)), lane="holdout")
    add_documents(project, *(f"text {i}" for i in range(150)))
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now())
    queued = []
    for _ in range(4):
        queue.top_up(project=project)
        queued.append(Assignment.objects.filter(document__lane="holdout").count())
    assert queued == [queue.BRIDGE, *[2 * queue.BRIDGE] * 3]


def test_it_bridges_without_holdout_documents_where_they_have_no_share(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.0)
    add_documents(project, "held", lane="holdout")
    add_documents(project, *(f"text {i}" for i in range(30)))
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now())
    queue.top_up(project=project)
    assert not Assignment.objects.filter(document__lane="holdout").exists()


def test_it_records_the_suggestion_with_the_card_but_never_on_holdout_documents(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User
) -> None:
    project = make_project(holdout_queue_share=0.0)
    documents = add_documents(project, "one") + add_documents(project, "held", lane="holdout")
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", bundle="x", labelled=1, holdout_documents=0
    )
    for document in documents:
        version.predictions.create(document=document, answer=Answer((1,), scores=((1, 0.9),)))
    finish(project, annotator)
    finish(project, annotator)
    by_lane = {card.document.lane: card.shown for card in Card.objects.select_related("document")}
    assert by_lane == {"pool": Answer((1,), scores=((1, 0.9),)), "holdout": None}
    kept = project.annotations.get(document=documents[0])
    assert (kept.shown, kept.shown_version) == (Answer((1,), scores=((1, 0.9),)), version)


def test_it_does_not_offer_an_expired_place_of_a_document_that_the_person_has_decided_on(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User, lead: User
) -> None:
    project = make_project(annotators_per_document=2)
    add_documents(project, "one")
    finish(project, annotator)
    claim(project, lead)
    expire()
    assert queue.claim(project=project, annotator=annotator) is None
    assert queue.claim(project=project, annotator=lead) is not None


def test_the_own_card_comes_before_an_expired_place_that_stands_further_ahead(
    project: Project, annotator: User, lead: User, texts: list[Document]
) -> None:
    ahead, mine = claim(project, lead), claim(project, annotator)
    assert ahead.rank < mine.rank
    Assignment.objects.filter(pk=ahead.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert claim(project, annotator).card == mine.card


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project, number=4, family="tfidf", bundle="x", labelled=1, holdout_documents=0
    )


def test_a_card_names_the_version_that_suggests_or_else_the_one_that_chose_it(
    project: Project,
    annotator: User,
    lead: User,
    texts: list[Document],
    version: ModelVersion,
) -> None:
    suggested, bare = texts[:2]
    version.predictions.create(document=suggested, answer=Answer((1,), scores=((1, 0.9),)))
    queue.refill(project=project, strategy="margin", version=None, documents=[suggested.pk, bare.pk])
    for person, number in ((annotator, 4), (lead, None)):
        for _ in range(2):  # dealt, and shown again
            dealt = queue.deal(project=project, annotator=person)
            assert dealt is not None
            assert dealt.version == number


def test_a_card_of_a_batch_names_the_version_whose_scores_chose_it(
    project: Project, annotator: User, texts: list[Document], version: ModelVersion
) -> None:
    queue.refill(project=project, strategy="margin", version=version, documents=[texts[0].pk])
    dealt = queue.deal(project=project, annotator=annotator)
    assert dealt is not None
    assert (dealt.version, dealt.card.shown_version_id) == (4, None)


def test_it_shows_no_suggestion_where_the_project_wants_none(
    project: Project, annotator: User, texts: list[Document], version: ModelVersion
) -> None:
    project.suggestions = "never"
    for document in texts:
        version.predictions.create(document=document, answer=Answer((1,), scores=((1, 0.9),)))
    dealt = queue.deal_from_filled(project=project, annotator=annotator)
    assert dealt is not None
    assert (dealt.card.shown, dealt.card.shown_version_id) == (None, None)


@pytest.mark.parametrize(
    ("state", "is_slow", "size"),
    [
        ("running", False, queue.BRIDGE),
        ("queued", False, queue.BRIDGE),
        ("running", True, queue.TOP_UP),
        ("succeeded", False, queue.TOP_UP),
    ],
)
def test_it_bridges_the_time_to_the_choice_of_a_quick_run_that_is_live(
    make_project: Callable[..., Project], add_documents: AddDocuments, state: str, is_slow: bool, size: int
) -> None:
    project = make_project(holdout_queue_share=0.0)
    add_documents(project, *(f"text {i}" for i in range(80)))
    project.runs.create(family="tfidf", state=state, is_slow=is_slow)
    assert queue.top_up(project=project) == size


def test_it_does_not_bridge_for_a_worker_once_a_first_batch_was_chosen(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.0)
    add_documents(project, *(f"text {i}" for i in range(80)))
    WorkerPulse.objects.create(queue="training", seen_at=timezone.now())
    project.batches.create(strategy="kmeans")
    assert queue.top_up(project=project) == queue.TOP_UP


def test_where_the_pool_is_empty_each_holdout_document_is_queued_once(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.5)
    add_documents(project, "one", "two")
    held = add_documents(project, *(f"held {i}" for i in range(40)), lane="holdout")
    assert queue.top_up(project=project) == 42
    places = Assignment.objects.filter(document__lane="holdout").values_list("document", flat=True)
    assert sorted(places) == sorted(document.pk for document in held)


def test_it_puts_no_more_than_a_block_into_the_queue_at_once(
    make_project: Callable[..., Project], add_documents: AddDocuments
) -> None:
    project = make_project(holdout_queue_share=0.5)
    add_documents(project, *(f"text {i}" for i in range(80)))
    add_documents(project, *(f"held {i}" for i in range(80)), lane="holdout")
    assert queue.top_up(project=project) == queue.TOP_UP


def test_a_batch_leaves_the_places_of_a_document_that_somebody_has_decided_on_elsewhere(
    make_project: Callable[..., Project], add_documents: AddDocuments, annotator: User
) -> None:
    project = make_project(annotators_per_document=2)
    decided, _other = add_documents(project, "one", "two")
    queue.top_up(project=project)
    project.annotations.create(document=decided, annotator=annotator, outcome="answered", source="api")
    queue.refill(project=project, strategy="margin", version=None, documents=[])
    assert {place.document for place in Assignment.objects.waiting()} == {decided}
