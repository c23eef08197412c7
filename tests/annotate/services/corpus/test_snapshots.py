from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from annotate.models import Annotation, Document, Project, User
from annotate.services.corpus import snapshots
from annotate.services.corpus.snapshots import SnapshotSummary

pytestmark = pytest.mark.django_db
AddDocuments = Callable[..., list[Document]]


def annotate(document: Document, annotator: User, *names: str, **fields: object) -> Annotation:
    annotation = Annotation.objects.create(
        project=document.project,
        document=document,
        annotator=annotator,
        outcome=fields.pop("outcome", "answered"),
        **fields,
    )
    for name in names:
        annotation.choices.create(label=document.project.labels.get(name=name))
    return annotation


def learned(project: Project) -> dict[str, list[str]]:
    snapshot = snapshots.take(project=project)
    found = {}
    for text, row in zip(snapshot.dataset.texts, snapshot.dataset.targets, strict=True):
        found[text] = [
            label.name for label, hit in zip(snapshot.dataset.schema.labels, row, strict=True) if hit
        ]
    return found


def test_it_keeps_the_lanes_apart(project: Project, annotator: User, add_documents: AddDocuments) -> None:
    for document in [
        *add_documents(project, "pool"),
        *add_documents(project, "tune", lane="holdout", half="tuning"),
        *add_documents(project, "report", lane="holdout", half="reporting"),
    ]:
        annotate(document, annotator, "red")
    add_documents(project, "open")
    add_documents(project, "held open", lane="holdout")
    snapshot = snapshots.take(project=project)
    assert snapshot.dataset.texts == ("pool",)
    assert snapshot.tuning.texts == ("tune",)
    assert snapshot.reporting.texts == ("report",)
    assert snapshot.dataset.pool is not None
    assert snapshot.dataset.pool.texts == ("open",)


def test_it_does_not_learn_from_skips_and_flags(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    one, two = add_documents(project, "one", "two")
    annotate(one, annotator, outcome="skipped")
    annotate(two, annotator, outcome="flagged")
    assert learned(project) == {}


def test_it_leaves_archived_labels_out(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    one, two = add_documents(project, "one", "two")
    annotate(one, annotator, "red")
    annotate(two, annotator, "blue")
    project.labels.filter(name="red").update(archived_at=timezone.now())
    assert learned(project) == {"two": ["blue"]}


def test_it_takes_the_majority_and_of_equal_ones_the_latest(
    project: Project, annotator: User, lead: User, stranger: User, add_documents: AddDocuments
) -> None:
    one, two = add_documents(project, "one", "two")
    for person, name in [(annotator, "red"), (lead, "red"), (stranger, "blue")]:
        annotate(one, person, name)
    for person, name in [(annotator, "red"), (lead, "blue")]:
        annotate(two, person, name)
    assert learned(project) == {"one": ["red"], "two": ["blue"]}


def test_it_puts_gold_over_the_majority(
    project: Project, annotator: User, lead: User, stranger: User, add_documents: AddDocuments
) -> None:
    (one,) = add_documents(project, "one")
    annotate(one, lead, "green", is_gold=True)
    annotate(one, annotator, "red")
    annotate(one, stranger, "red")
    assert learned(project) == {"one": ["green"]}


def test_it_decides_each_label_by_itself_where_any_number_may_apply(
    multi_project: Project, annotator: User, lead: User, stranger: User, add_documents: AddDocuments
) -> None:
    (one, two) = add_documents(multi_project, "one", "none")
    annotate(one, annotator, "red", "green")
    annotate(one, lead, "red")
    annotate(one, stranger, "blue")
    annotate(two, annotator)
    assert learned(multi_project) == {"one": ["red"], "none": []}


def test_it_reads_again_what_was_read_up_to_an_annotation(
    project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    early, late = add_documents(project, "early", "late")
    annotate(early, annotator, "red")
    before = snapshots.take(project=project)
    annotate(late, annotator, "blue")
    again = snapshots.take(project=project, until=before.newest)
    assert (again.dataset.texts, again.newest) == (before.dataset.texts, before.newest)
    assert set(snapshots.take(project=project).dataset.texts) == {"early", "late"}


# As commit 135c32a stored it: of a run that was only opened, and of one whose labels were read.
OPENED = {"annotation": 7}
READ = OPENED | {"labelled": 5, "tuning": 0, "reporting": 2, "pool": 30, "labels": [1, 2, 3]}


@pytest.mark.parametrize("stored", [{}, OPENED, READ, READ | {"encoder": "f" * 64}])
def test_a_stored_summary_is_written_as_it_was_read(stored: dict[str, Any]) -> None:
    summary = SnapshotSummary.load(stored | {"from a later site": 1})
    assert json.loads(json.dumps(summary.dump())) == {"annotation": 0} | stored
    assert summary.annotation == stored.get("annotation", 0)
    assert summary.is_taken is ("labelled" in stored)


def test_a_snapshot_of_no_labels_is_taken_all_the_same(project: Project) -> None:
    summary = snapshots.take(project=project).summary()
    assert (summary.labelled, summary.is_taken) == (0, True)
