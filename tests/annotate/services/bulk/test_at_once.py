"""Two leads change the same documents at the same moment, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from annotate.models import Annotation, BulkChange, Document, Project, User
from annotate.models.bulk import BulkAction, BulkOptions, ItemState
from annotate.models.work import WorkState
from annotate.services.bulk import job
from tests.annotate.made.interleaving import hurry, interleave

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has one writer at a time: nothing to interleave"
    ),
]


def _confirmed(project: Project, by: User, label: str) -> BulkChange:
    bulk = job.preview(
        project=project,
        by=by,
        action=BulkAction.LABEL,
        options=BulkOptions(labels=(project.labels.get(name=label).pk,), gold=True),
        wanted={},
    )
    (row,) = job.confirm(bulk=bulk, by=by)
    return row


def test_of_two_leads_one_gives_the_gold_answers_after_the_other(
    make_project: Callable[..., Project],
    lead: User,
    stranger: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    hurry()
    stop, was_stopped = 0, True
    while was_stopped:
        project = make_project(slug=f"gold-{stop}")
        add_documents(project, "one", "two", "three")
        one, other = _confirmed(project, lead, "red"), _confirmed(project, stranger, "blue")

        def first(one: BulkChange = one) -> None:
            job.run(one.pk)

        def second(other: BulkChange = other) -> None:
            job.run(other.pk)

        was_stopped, errors = interleave(first, second, stop=stop)
        assert errors == [], f"before step {stop}"
        rows = BulkChange.objects.filter(pk__in=[one.pk, other.pk])
        assert {row.state for row in rows} == {WorkState.SUCCEEDED}
        assert [row.counts for row in rows] == [{ItemState.CHANGED: 3}] * 2
        golden = Annotation.objects.filter(project=project, is_gold=True)
        # All of one lead or all of the other: no chunk is half of each.
        assert len(golden) == 3
        assert len({answer.annotator_id for answer in golden}) == 1
        stop += 1
    assert stop > 5


def test_a_change_that_is_undone_twice_at_once_is_undone_once(
    project: Project, lead: User, stranger: User, add_documents: Callable[..., list[Document]]
) -> None:
    hurry()
    add_documents(project, "one")
    bulk = _confirmed(project, lead, "red")
    job.run(bulk.pk)
    opened: list[BulkChange] = []
    _stopped, errors = interleave(
        lambda: opened.extend(job.undo(bulk=bulk, by=lead)),
        lambda: opened.extend(job.undo(bulk=bulk, by=stranger)),
        stop=1,
    )
    assert errors == []
    assert len(opened) == 1
