"""Documents become a list of their own for named people, and the queue goes on beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Annotation, Assignment, BulkChange, Document, Project, User, WorkList
from annotate.models.bulk import BulkAction, BulkOptions, ItemState
from annotate.models.queue import AssignmentState
from annotate.services.bulk import job, splitting
from annotate.services.bulk.found import Why
from annotate.services.labeling import ahead, decisions, places, queue, work_lists
from annotate.services.projects.refused import Refused
from training.types import Answer

Annotate = Callable[..., Annotation]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(job, "CHUNK", 2)


@pytest.fixture
def documents(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, *"abcdef")


def make_list(project: Project, by: User, *people: User, rows: list[Document], **options: bool) -> BulkChange:
    bulk = job.preview(
        project=project,
        by=by,
        action=BulkAction.LIST,
        options=BulkOptions(name="odd ones", people=tuple(person.pk for person in people), **options),
        wanted={},
        selected=[document.pk for document in rows],
    )
    job.confirm(bulk=bulk, by=by)
    job.run(bulk.pk)
    bulk.refresh_from_db()
    return bulk


def close(bulk: BulkChange, by: User) -> None:
    (row,) = job.undo(bulk=bulk, by=by)
    job.run(row.pk)
    bulk.refresh_from_db()


def answer(project: Project, person: User, dealt: queue.Dealt | None) -> None:
    assert dealt is not None
    red = project.labels.get(name="red").pk
    decisions.submit(
        project=project, annotator=person, card=dealt.card.key, outcome="answered", answer=Answer((red,))
    )


def deal(project: Project, person: User, work_list: WorkList | None) -> queue.Dealt | None:
    return queue.deal_from_filled(project=project, annotator=person, work_list=work_list)


def test_a_list_is_dealt_to_its_people_to_its_end(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    work_list = make_list(project, lead, annotator, rows=documents[:3]).work_list
    seen = []
    while dealt := deal(project, annotator, work_list):
        seen.append(dealt.document.pk)
        answer(project, annotator, dealt)
    assert seen == [document.pk for document in reversed(documents[:3])]
    assert work_list is not None
    (share,) = work_lists.progress(work_list).shares
    assert (share.done, share.left) == (3, 0)
    assert "done" in work_lists.why_empty(work_list)


def test_the_queue_neither_deals_what_is_listed_nor_queues_it(
    project: Project, lead: User, annotator: User, stranger: User, documents: list[Document]
) -> None:
    places.append(project=project, documents=documents[:2], number=1, batch=None)
    make_list(project, lead, annotator, rows=documents[:3])
    dealt = []
    while found := deal(project, stranger, None):
        dealt.append(found.document.pk)
        answer(project, stranger, found)
    assert sorted(dealt) == [document.pk for document in documents[3:]]


def test_a_lease_of_a_list_that_ran_out_goes_to_the_list_alone(
    project: Project, lead: User, annotator: User, stranger: User, documents: list[Document]
) -> None:
    work_list = make_list(project, lead, annotator, lead, rows=documents[:1]).work_list
    deal(project, annotator, work_list)
    Assignment.objects.filter(work_list=work_list).update(expires_at=timezone.now() - timedelta(seconds=1))
    Document.objects.exclude(pk=documents[0].pk).delete()
    assert deal(project, stranger, None) is None
    found = deal(project, lead, work_list)
    assert found is not None
    assert found.document.pk == documents[0].pk


def test_what_a_page_let_go_unseen_waits_in_its_list(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    work_list = make_list(project, lead, annotator, rows=documents).work_list
    deck = ahead.fill(project=project, annotator=annotator, held=ahead.Held(), work_list=work_list)
    keys = [dealt.card.key for dealt in deck.dealt]
    assert len(keys) == ahead.AHEAD + 1
    ahead.fill(
        project=project,
        annotator=annotator,
        held=ahead.Held(shown=keys[0], returned=tuple(keys[1:])),
        work_list=work_list,
    )
    assert not Assignment.objects.waiting().exists()
    assert Assignment.objects.filter(work_list=work_list).count() == len(documents)


def test_a_newer_choice_does_not_take_cards_of_a_list_away(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    work_list = make_list(project, lead, annotator, rows=documents[:3]).work_list
    deck = ahead.fill(project=project, annotator=annotator, held=ahead.Held(), work_list=work_list)
    keys = [dealt.card.key for dealt in deck.dealt]
    queue.refill(project=project, strategy="random", version=None, documents=[documents[4].pk])
    assert ahead.past(project=project, annotator=annotator, cards=keys[1:]) == []
    assert Assignment.objects.filter(work_list=work_list).count() == 3


def test_answered_documents_are_skipped_unless_a_second_opinion_is_wanted(
    project: Project,
    lead: User,
    annotator: User,
    stranger: User,
    documents: list[Document],
    annotate: Annotate,
) -> None:
    annotate(documents[0], stranger, "red")
    annotate(documents[1], annotator, "red")
    first = make_list(project, lead, annotator, rows=documents[:2])
    assert first.counts == {Why.ANSWERED: 2}
    second = make_list(project, lead, annotator, rows=documents[:2], second=True)
    assert second.counts == {ItemState.CHANGED: 1, Why.ANSWERED: 1}
    found = deal(project, annotator, second.work_list)
    assert found is not None
    assert found.document.pk == documents[0].pk


def test_each_of_them_answers_every_document(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    work_list = make_list(project, lead, annotator, lead, rows=documents[:2], each=True).work_list
    for person in (annotator, lead):
        while dealt := deal(project, person, work_list):
            answer(project, person, dealt)
    assert Annotation.objects.count() == 4
    assert not Assignment.objects.exclude(state=AssignmentState.DONE).exists()


def test_what_is_on_a_screen_or_in_another_list_stays_there(
    project: Project, lead: User, annotator: User, stranger: User, documents: list[Document]
) -> None:
    make_list(project, lead, annotator, rows=documents[:1])
    places.append(project=project, documents=documents[1:2], number=1, batch=None)
    deal(project, stranger, None)
    bulk = make_list(project, lead, annotator, rows=documents[:3])
    assert bulk.counts == {ItemState.CHANGED: 1, Why.TAKEN: 2}


def test_a_closed_list_gives_back_what_nobody_has_answered(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    places.append(project=project, documents=documents[:3], number=1, batch=None)
    before = list(Assignment.objects.order_by("pk").values("document", "state", "rank", "work_list"))
    bulk = make_list(project, lead, annotator, rows=documents[:4])
    close(bulk, lead)
    after = list(Assignment.objects.order_by("pk").values("document", "state", "rank", "work_list"))
    assert after == before
    assert bulk.work_list is not None
    bulk.work_list.refresh_from_db()
    assert deal(project, annotator, bulk.work_list) is None
    assert "closed" in work_lists.why_empty(bulk.work_list)


def test_an_answer_and_an_open_card_outlive_the_closing_of_their_list(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    bulk = make_list(project, lead, annotator, rows=documents[:3])
    answer(project, annotator, deal(project, annotator, bulk.work_list))
    shown = deal(project, annotator, bulk.work_list)
    close(bulk, lead)
    row = BulkChange.objects.get(undoes=bulk)
    assert row.counts == {ItemState.UNDONE: 1, ItemState.KEPT: 2}
    answer(project, annotator, shown)
    assert list(Annotation.objects.values_list("is_late", flat=True)) == [False, False]


def test_a_list_can_be_closed_after_a_day(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    bulk = make_list(project, lead, annotator, rows=documents)
    BulkChange.objects.update(finished_at=timezone.now() - timedelta(days=3))
    close(bulk, lead)
    assert not Assignment.objects.exists()


def test_a_lead_who_answers_a_listed_document_takes_it_off_the_list(
    project: Project, lead: User, annotator: User, documents: list[Document]
) -> None:
    bulk = make_list(project, lead, annotator, rows=documents[:1])
    assert places.take(document=documents[0].pk, annotator=lead)
    assert deal(project, annotator, bulk.work_list) is None


def test_beside_a_list_a_document_is_answered_by_as_many_as_ever(
    make_project: Callable[..., Project],
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    project = make_project(slug="twice", annotators_per_document=2)
    bulk = make_list(project, lead, annotator, rows=add_documents(project, "a"))
    assert sorted(Assignment.objects.values_list("state", flat=True)) == ["listed", "waiting"]
    close(bulk, lead)
    assert not Assignment.objects.exists()


def test_a_split_label_is_asked_again_of_who_chose_it_and_of_the_list_for_the_rest(
    project: Project,
    lead: User,
    annotator: User,
    documents: list[Document],
    annotate: Annotate,
    stranger: User,
) -> None:
    red = project.labels.get(name="red")
    mine, theirs, other = documents[:3]
    places.append(project=project, documents=[mine], number=1, batch=None)
    answer(project, annotator, deal(project, annotator, None))
    annotate(theirs, stranger, "red")
    annotate(other, annotator, "green")
    parts = [("crimson", "dark"), ("blue", "")]
    (bulk,) = splitting.split(label=red, parts=parts, people=[annotator.pk], by=lead)
    job.run(bulk.pk)
    bulk.refresh_from_db()
    assert bulk.counts == {ItemState.CHANGED: 2}, bulk.error
    assert list(project.labels.live().values_list("name", flat=True)) == ["green", "blue", "crimson"]
    (share,) = work_lists.progress(bulk.work_list).shares
    assert share.left == 2
    dealt = deal(project, annotator, bulk.work_list)
    assert dealt is not None
    assert dealt.document == mine
    crimson = Answer((project.labels.get(name="crimson").pk,))
    decisions.submit(
        project=project, annotator=annotator, card=dealt.card.key, outcome="answered", answer=crimson
    )
    assert mine.annotations.get().choices.get().label.name == "crimson"
    assert mine.annotations.get().decisions.count() == 2
    close(bulk, lead)
    assert not theirs.assignments.exists()
    with pytest.raises(Refused, match="two labels or more"):
        splitting.split(label=project.labels.get(name="green"), parts=parts[:1], people=[lead.pk], by=lead)
