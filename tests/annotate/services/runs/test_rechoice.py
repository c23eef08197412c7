"""A change of how documents are chosen reaches what waits in the queue."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from annotate import tasks
from annotate.models import Batch, Document, Project, User
from annotate.models.jobs import JobKind
from annotate.models.queue import AssignmentState
from annotate.services.corpus import snapshots
from annotate.services.labeling import queue
from annotate.services.runs import execution, rechoice, schedule
from annotate.services.work import jobs

AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def served(
    project: Project,
    annotator: User,
    only_tfidf: None,
    label_colours: Callable[..., None],
    add_documents: AddDocuments,
) -> Project:
    """A project with a published model, and thirty documents of the pool of which a batch waits."""
    project.families, project.holdout_queue_share = ["tfidf"], 0.0
    project.strategy, project.batch_size, project.random_share = "random", 8, 0.0
    project.save()
    label_colours(project, annotator)
    add_documents(project, *[f"rose and leaf number {chr(97 + i) * 3}" for i in range(24)], "rose ruby blood")
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
    version = execution.execute(run_id=run.pk)
    assert version is not None
    assert version.stage == "published"
    return project


def waiting(project: Project) -> set[int]:
    return set(project.assignments.waiting().values_list("document", flat=True))


def test_another_strategy_chooses_the_waiting_batch_anew(served: Project) -> None:
    before = Batch.objects.get(project=served)
    assert (before.strategy, len(waiting(served))) == ("random", 8)
    served.strategy, served.batch_size = "margin", 5
    served.save()
    (job,) = jobs.ask(kind=JobKind.RECHOOSE, project=served)
    tasks.work("rechoose", job.pk)
    after = served.batches.latest("pk")
    assert (after.strategy, after.version) == ("margin", served.versions.get())
    assert after.pk != before.pk
    assert len(waiting(served)) == 5
    # The text of one colour alone is what the model is surest of.
    assert not served.documents.filter(pk__in=waiting(served), text="rose ruby blood").exists()


def test_an_open_card_stays(served: Project, annotator: User) -> None:
    place = queue.claim(project=served, annotator=annotator)
    assert place is not None
    rechoice.choose_anew(project=served)
    place.refresh_from_db()
    assert (place.state, place.annotator) == (AssignmentState.LEASED, annotator)


def test_a_model_of_other_labels_is_not_asked(served: Project) -> None:
    served.labels.create(name="violet", position=9, hotkey="v")
    served.strategy = "margin"
    served.save()
    batch = rechoice.choose_anew(project=served)
    assert batch is not None
    assert batch.strategy == "random"  # by nothing but the texts, of which there are no vectors
    assert batch.version is None


def test_scores_stand_in_the_order_of_the_snapshot_whatever_the_order_of_the_version(
    served: Project, add_documents: AddDocuments
) -> None:
    """Versions of before keep the order that the lead had given the labels when they were trained."""
    add_documents(served, "sky sea ink ice sky")
    version = served.versions.published().get()
    snapshot = snapshots.take(project=served)
    as_learned = list(version.label_ids)
    at = rechoice._scores(version, snapshot, lambda done: None)
    version.label_ids = as_learned[::-1]
    turned = rechoice._scores(version, snapshot, lambda done: None)
    assert [int(pk) for pk in snapshot.label_ids] == as_learned
    for one, other in zip(at, turned, strict=True):
        assert one.tolist() == other[..., ::-1].tolist()
    assert len(set(at[0][0].tolist())) > 1


def test_nothing_is_chosen_before_the_first_batch(project: Project, add_documents: AddDocuments) -> None:
    add_documents(project, "one", "two")
    assert rechoice.choose_anew(project=project) is None
    assert not project.batches.exists()
