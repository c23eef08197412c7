"""Many documents are changed by a worker in chunks, and put back as they were."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotate.models import (
    Annotation,
    Assignment,
    BulkChange,
    Decision,
    Document,
    Event,
    Project,
    User,
)
from annotate.models.annotations import Outcome, Source
from annotate.models.bulk import BulkAction, BulkOptions, ItemState
from annotate.models.documents import Lane
from annotate.models.events import EventKind
from annotate.models.queue import AssignmentState
from annotate.models.work import WorkState
from annotate.services.bulk import job
from annotate.services.bulk.found import Why
from annotate.services.labeling import corrections, queue
from annotate.services.projects.refused import Refused
from training.types import Answer

Annotate = Callable[..., Annotation]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(job, "CHUNK", 2)


@pytest.fixture
def documents(project: Project, add_documents: Callable[..., list[Document]]) -> list[Document]:
    return add_documents(project, *"abcde")


def change(
    project: Project, by: User, action: str, /, wanted: dict[str, Any] | None = None, **options: Any
) -> BulkChange:
    """Preview, confirm and do a change."""
    names = options.pop("labels", ())
    labels = tuple(project.labels.get(name=name).pk for name in names)
    bulk = job.preview(
        project=project,
        by=by,
        action=action,
        options=BulkOptions(labels=labels, **options),
        wanted=wanted or {},
    )
    job.confirm(bulk=bulk, by=by)
    job.run(bulk.pk)
    bulk.refresh_from_db()
    return bulk


def undone(bulk: BulkChange, by: User) -> BulkChange:
    (row,) = job.undo(bulk=bulk, by=by)
    job.run(row.pk)
    row.refresh_from_db()
    return row


def state(project: Project) -> dict[str, Any]:
    """Return all that a bulk change may touch, as it stands."""
    return {
        "annotations": list(
            project.annotations.order_by("pk").values(
                "document", "annotator", "outcome", "reason", "seconds", "source", "is_gold", "is_late"
            )
        ),
        "labels": list(
            project.annotations.order_by("pk", "labels").values_list("document", "annotator", "labels__name")
        ),
        "places": list(
            project.assignments.order_by("pk").values("document", "slot", "state", "annotator", "rank")
        ),
        "lanes": list(project.documents.order_by("pk").values_list("lane", "half")),
    }


def names_of(annotation: Annotation) -> list[str]:
    return list(annotation.labels.values_list("name", flat=True))


def test_labels_become_the_answers_of_the_lead_who_asked(
    project: Project, lead: User, annotator: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], annotator, "blue")
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    assert bulk.state == WorkState.SUCCEEDED
    assert bulk.counts == {ItemState.CHANGED: 5}
    own = Annotation.objects.filter(annotator=lead)
    assert [names_of(row) for row in own] == [["red"]] * 5
    assert {row.source for row in own} == {Source.BULK}
    assert Decision.objects.filter(annotation__in=own, outcome=Outcome.ANSWERED).count() == 5
    assert names_of(Annotation.objects.get(annotator=annotator)) == ["blue"]


def test_the_preview_counts_what_stays_and_changes_nothing(
    project: Project, lead: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], lead, "red")
    before = state(project)
    red = project.labels.get(name="red").pk
    bulk = job.preview(
        project=project, by=lead, action=BulkAction.LABEL, options=BulkOptions(labels=(red,)), wanted={}
    )
    assert bulk.counts == {ItemState.CHANGED: 4, Why.SAME: 1}
    assert state(project) == before
    assert job.run(bulk.pk) is None  # nobody has said yes


def test_what_comes_after_the_preview_is_not_changed(
    project: Project,
    lead: User,
    documents: list[Document],
    add_documents: Callable[..., list[Document]],
    annotate: Annotate,
    annotator: User,
) -> None:
    annotate(documents[0], annotator, "blue")
    red, blue = (project.labels.get(name=name).pk for name in ("red", "blue"))
    bulk = job.preview(
        project=project,
        by=lead,
        action=BulkAction.LABEL,
        options=BulkOptions(labels=(red,)),
        wanted={"label": blue},
    )
    annotate(documents[1], annotator, "blue")  # it fits the filter from now on
    job.confirm(bulk=bulk, by=lead)
    job.run(bulk.pk)
    assert list(Annotation.objects.filter(annotator=lead).values_list("document", flat=True)) == [
        documents[0].pk
    ]


def test_undo_restores_exactly_what_was_there(
    project: Project, lead: User, annotator: User, documents: list[Document], annotate: Annotate
) -> None:
    queue.top_up(project=project)
    annotate(documents[0], lead, "blue", reason="sky", seconds=2.5)
    annotate(documents[1], annotator, "green", is_gold=True)
    annotate(documents[2], lead, outcome="flagged", reason="what?")
    before = state(project)
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"], gold=True)
    assert Annotation.objects.filter(annotator=lead, is_gold=True).count() == 5
    assert Assignment.objects.filter(state=AssignmentState.DONE).exists()
    row = undone(bulk, lead)
    assert row.counts == {ItemState.UNDONE: 5}
    assert state(project) == before


def test_each_step_of_an_own_answer_stays_in_its_history(
    project: Project, lead: User, documents: list[Document]
) -> None:
    blue, red = (project.labels.get(name=name).pk for name in ("blue", "red"))
    corrections.answer(
        document=documents[0], by=lead, key=uuid.uuid4(), answer=Answer((blue,)), is_gold=False
    )
    undone(change(project, lead, BulkAction.LABEL, labels=["red"]), lead)
    told = Decision.objects.filter(annotation__document=documents[0]).order_by("pk")
    assert [decision.answer.labels for decision in told] == [(blue,), (red,), (blue,)]


def test_undo_leaves_what_people_have_changed_since_and_names_it(
    project: Project, lead: User, documents: list[Document]
) -> None:
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    green = project.labels.get(name="green").pk
    corrections.answer(
        document=documents[3], by=lead, key=uuid.uuid4(), answer=Answer((green,)), is_gold=False
    )
    row = undone(bulk, lead)
    assert row.counts == {ItemState.UNDONE: 4, ItemState.KEPT: 1}
    assert names_of(Annotation.objects.get()) == ["green"]
    assert bulk.items.get(state=ItemState.KEPT).document_id == documents[3].pk


def test_an_answer_that_is_the_same_but_was_given_anew_is_kept(
    project: Project, lead: User, documents: list[Document]
) -> None:
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    red = project.labels.get(name="red").pk
    corrections.answer(document=documents[0], by=lead, key=uuid.uuid4(), answer=Answer((red,)), is_gold=False)
    assert undone(bulk, lead).counts[ItemState.KEPT] == 1


def test_of_two_leads_the_second_has_the_gold_answers_and_the_first_undoes_nothing_of_them(
    project: Project, lead: User, stranger: User, documents: list[Document]
) -> None:
    first = change(project, lead, BulkAction.LABEL, labels=["red"], gold=True)
    second = change(project, stranger, BulkAction.LABEL, labels=["blue"], gold=True)
    assert second.counts == {ItemState.CHANGED: 5}
    assert undone(first, lead).counts == {ItemState.KEPT: 5}
    assert undone(second, stranger).counts == {ItemState.UNDONE: 5}
    assert [names_of(row) for row in Annotation.objects.filter(is_gold=True)] == [["red"]] * 5


def test_a_killed_change_goes_on_where_it_stopped(
    project: Project, lead: User, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    red = project.labels.get(name="red").pk
    bulk = job.preview(
        project=project, by=lead, action=BulkAction.LABEL, options=BulkOptions(labels=(red,)), wanted={}
    )
    job.confirm(bulk=bulk, by=lead)
    chunks = iter([None, SystemExit])
    monkeypatch.setattr(job.time, "sleep", lambda _seconds: _raise(next(chunks)))
    with pytest.raises(SystemExit):
        job.run(bulk.pk)
    assert Annotation.objects.count() == 4
    monkeypatch.undo()
    assert job.run(bulk.pk) is not None
    bulk.refresh_from_db()
    assert bulk.counts == {ItemState.CHANGED: 5}
    assert Decision.objects.count() == 5


def _raise(error: type[BaseException] | None) -> None:
    if error is not None:
        raise error


def test_who_lost_the_change_to_another_worker_leaves_no_trace(
    project: Project, lead: User, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    red = project.labels.get(name="red").pk
    bulk = job.preview(
        project=project, by=lead, action=BulkAction.LABEL, options=BulkOptions(labels=(red,)), wanted={}
    )
    job.confirm(bulk=bulk, by=lead)

    def claimed_by_another(_bulk: BulkChange) -> None:
        BulkChange.objects.filter(pk=bulk.pk).update(token=99)

    monkeypatch.setattr(job, "_check", claimed_by_another)
    job.run(bulk.pk)
    assert not Annotation.objects.exists()


def test_a_label_that_was_archived_meanwhile_stops_it_with_a_sentence(
    project: Project, lead: User, documents: list[Document]
) -> None:
    red = project.labels.get(name="red")
    bulk = job.preview(
        project=project, by=lead, action=BulkAction.LABEL, options=BulkOptions(labels=(red.pk,)), wanted={}
    )
    job.confirm(bulk=bulk, by=lead)
    type(red).objects.filter(pk=red.pk).update(archived_at=timezone.now())
    job.run(bulk.pk)
    bulk.refresh_from_db()
    assert (bulk.state, bulk.attempt) == (WorkState.FAILED, 1)
    assert "archived" in bulk.error
    assert not Annotation.objects.exists()


def test_undo_after_a_day_is_refused_with_a_sentence(
    project: Project, lead: User, documents: list[Document]
) -> None:
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    BulkChange.objects.filter(pk=bulk.pk).update(finished_at=timezone.now() - timedelta(hours=25))
    with pytest.raises(Refused, match="more than a day ago"):
        job.undo(bulk=bulk, by=lead)
    assert Annotation.objects.count() == 5


def test_a_change_is_undone_once(project: Project, lead: User, documents: list[Document]) -> None:
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    undone(bulk, lead)
    assert job.undo(bulk=bulk, by=lead) == []


def test_a_change_is_confirmed_once(project: Project, lead: User, documents: list[Document]) -> None:
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    assert job.confirm(bulk=bulk, by=lead) == []
    assert Event.objects.filter(kind=EventKind.BULK_CHANGED).count() == 1


def test_change_and_undo_are_one_event_each_with_their_counts(
    project: Project, lead: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], lead, "red")
    undone(change(project, lead, BulkAction.LABEL, labels=["red"]), lead)
    told = Event.objects.order_by("pk").values_list("kind", "subject", "details__documents")
    assert list(told) == [(EventKind.BULK_CHANGED, "red", 4), (EventKind.BULK_UNDONE, "red", 4)]


@pytest.mark.parametrize(
    ("action", "expected"),
    [(BulkAction.ADD, [["blue", "red"], ["red"]]), (BulkAction.REMOVE, [["blue"], []])],
)
def test_a_label_is_added_and_removed_from_what_people_said(
    action: str,
    expected: list[list[str]],
    multi_project: Project,
    lead: User,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Annotate,
) -> None:
    both, one, _none = add_documents(multi_project, *"abc")
    annotate(both, annotator, "blue", *(["red"] if action == BulkAction.REMOVE else []))
    annotate(one, annotator, *(["red"] if action == BulkAction.REMOVE else []))
    bulk = change(multi_project, lead, action, labels=["red"], gold=True)
    assert bulk.counts == {ItemState.CHANGED: 2, Why.UNANSWERED: 1}
    golden = Annotation.objects.filter(is_gold=True).order_by("document")
    assert [sorted(names_of(row)) for row in golden] == expected


def test_what_was_put_aside_is_returned_and_can_be_taken_back(
    project: Project, lead: User, annotator: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], annotator, outcome="flagged")
    annotate(documents[1], annotator, outcome="skipped")
    annotate(documents[2], annotator, "red")
    Assignment.objects.create(
        project=project, document=documents[0], annotator=annotator, state="done", rank=1.0
    )
    before = state(project)
    bulk = change(project, lead, BulkAction.RETURN)
    assert bulk.counts == {ItemState.CHANGED: 2, Why.OPEN: 1, Why.UNDECIDED: 2}
    found = queue.claim(project=project, annotator=annotator)
    assert found is not None
    assert found.document in documents[:2]
    Assignment.objects.filter(pk=found.pk).update(card=None, expires_at=timezone.now())
    undone(bulk, lead)
    assert state(project) == before


def test_a_returned_document_that_somebody_has_opened_stays_returned(
    project: Project, lead: User, annotator: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], annotator, outcome="flagged")
    bulk = change(project, lead, BulkAction.RETURN)
    queue.claim(project=project, annotator=annotator)
    assert undone(bulk, lead).counts == {ItemState.KEPT: 1}
    assert Assignment.objects.get().state == AssignmentState.LEASED


def test_near_duplicates_move_together_and_back(
    project: Project, lead: User, documents: list[Document]
) -> None:
    Document.objects.filter(pk__in=[documents[0].pk, documents[3].pk]).update(split_key="same")
    before = state(project)
    bulk = change(project, lead, BulkAction.MOVE, lane=Lane.HOLDOUT)
    assert not project.documents.pool().exists()
    halves = project.documents.filter(split_key="same").values_list("half", flat=True)
    assert len(set(halves)) == 1
    undone(bulk, lead)
    assert state(project) == before


def test_a_near_duplicate_that_does_not_fit_the_filter_moves_as_well(
    project: Project, lead: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], lead, "red")
    Document.objects.filter(pk__in=[documents[0].pk, documents[3].pk]).update(split_key="same")
    red = project.labels.get(name="red").pk
    bulk = change(project, lead, BulkAction.MOVE, wanted={"label": red}, lane=Lane.HOLDOUT)
    assert (bulk.hits, bulk.counts) == (1, {ItemState.CHANGED: 2})
    assert set(project.documents.holdout().values_list("pk", flat=True)) == {
        documents[0].pk,
        documents[3].pk,
    }


def test_what_joined_its_near_duplicates_meanwhile_goes_back_with_them(
    project: Project,
    lead: User,
    documents: list[Document],
    add_documents: Callable[..., list[Document]],
) -> None:
    Document.objects.filter(pk=documents[0].pk).update(split_key="same")
    bulk = change(project, lead, BulkAction.MOVE, lane=Lane.HOLDOUT)
    moved = Document.objects.get(pk=documents[0].pk)
    (late,) = add_documents(project, "f", lane=moved.lane, half=moved.half)
    Document.objects.filter(pk=late.pk).update(split_key="same")
    undone(bulk, lead)
    assert not project.documents.holdout().exists()


def test_deleted_documents_are_gone_and_no_undo_is_offered(
    project: Project, lead: User, annotator: User, documents: list[Document], annotate: Annotate
) -> None:
    annotate(documents[0], annotator, "red")
    bulk = change(project, lead, BulkAction.DELETE)
    assert bulk.counts == {ItemState.CHANGED: 5}
    assert not project.documents.exists()
    assert not Annotation.objects.exists()
    assert job.undo_until(bulk) is None
    with pytest.raises(Refused):
        job.undo(bulk=bulk, by=lead)


def test_a_document_that_was_deleted_meanwhile_is_counted_as_gone(
    project: Project, lead: User, documents: list[Document]
) -> None:
    red = project.labels.get(name="red").pk
    bulk = job.preview(
        project=project, by=lead, action=BulkAction.LABEL, options=BulkOptions(labels=(red,)), wanted={}
    )
    documents[2].delete()
    job.confirm(bulk=bulk, by=lead)
    job.run(bulk.pk)
    bulk.refresh_from_db()
    assert bulk.counts == {ItemState.CHANGED: 4, Why.GONE: 1}


def test_a_document_wants_as_many_answers_as_ever(
    make_project: Callable[..., Project],
    lead: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    project = make_project(slug="twice", annotators_per_document=2)
    add_documents(project, *"abc")
    bulk = change(project, lead, BulkAction.LABEL, labels=["red"])
    assert Assignment.objects.filter(state=AssignmentState.WAITING).count() == 3
    undone(bulk, lead)
    assert not Assignment.objects.exists()
    assert not Annotation.objects.exists()


def test_nothing_to_change_is_a_sentence(project: Project, lead: User) -> None:
    with pytest.raises(Refused, match="nothing to change"):
        job.preview(project=project, by=lead, action=BulkAction.RETURN, options=BulkOptions(), wanted={})
