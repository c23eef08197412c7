from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Annotation, Document, Project, TrainingRun, User
from annotate.services import runs
from training.registry import FAMILIES

pytestmark = pytest.mark.django_db


@pytest.fixture
def labels(
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    annotate: Callable[..., Annotation],
) -> Callable[[int], None]:
    def add(n: int) -> None:
        there = project.documents.count()
        for document in add_documents(project, *(f"text {there + i}" for i in range(n))):
            annotate(document, annotator, "red")

    return add


def finish_all() -> None:
    TrainingRun.objects.update(state="succeeded")


def lose(run: TrainingRun) -> None:
    past = timezone.now() - timedelta(seconds=30)
    TrainingRun.objects.filter(pk=run.pk).update(lease_expires_at=past, woken_at=past)


@pytest.fixture
def run(project: Project) -> TrainingRun:
    return TrainingRun.objects.create(project=project, family="tfidf", reason="lead")


def test_it_opens_a_run_of_each_family_once_enough_labels_are_new(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(9)
    assert runs.open_if_due(project=project) == []
    assert runs.labels_until_next(project=project) == 1
    labels(1)
    assert [run.family for run in runs.open_if_due(project=project)] == runs.families()
    assert runs.families()[0] == "embedding"


def test_it_counts_from_the_last_run_on(project: Project, labels: Callable[[int], None]) -> None:
    labels(10)
    runs.open_if_due(project=project)
    finish_all()
    labels(9)
    assert runs.open_if_due(project=project) == []
    labels(1)
    assert len(runs.open_if_due(project=project)) == len(FAMILIES)


def test_it_keeps_one_live_run_per_family(project: Project) -> None:
    assert len(runs.open_if_due(project=project, reason=runs.Reason.LEAD)) == len(FAMILIES)
    assert runs.open_if_due(project=project, reason=runs.Reason.LEAD) == []


def test_it_trains_on_few_labels_when_people_pause(project: Project, labels: Callable[[int], None]) -> None:
    labels(1)
    assert runs.open_if_due(project=project, reason=runs.Reason.IDLE) == []
    Annotation.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert len(runs.open_if_due(project=project, reason=runs.Reason.IDLE)) == len(FAMILIES)
    finish_all()
    assert runs.open_if_due(project=project, reason=runs.Reason.IDLE) == []


def test_it_leaves_a_project_alone_that_does_not_train_by_itself(
    project: Project, labels: Callable[[int], None]
) -> None:
    labels(10)
    project.training_enabled = False
    assert runs.open_if_due(project=project) == []
    assert runs.open_if_due(project=project, reason=runs.Reason.LEAD)


def test_it_lets_one_worker_have_a_run(run: TrainingRun) -> None:
    assert runs.claim(run_id=run.pk) is not None
    assert runs.claim(run_id=run.pk) is None


def test_it_takes_a_lost_run_over_and_shuts_the_old_worker_out(run: TrainingRun) -> None:
    old = runs.claim(run_id=run.pk)
    lose(run)
    new = runs.claim(run_id=run.pk)
    assert old is not None
    assert new is not None
    assert new.token == old.token + 1
    assert not runs.beat(run=old)
    assert runs.beat(run=new, stage="fit", progress=0.5)
    assert not runs.finish(run=old, state="succeeded")


def test_it_wakes_a_worker_again_for_what_was_lost_but_not_at_once(run: TrainingRun) -> None:
    assert runs.recover() == [run]
    assert runs.recover() == []
    runs.claim(run_id=run.pk)
    assert runs.recover() == []
    lose(run)
    assert runs.recover() == [run]


def test_it_fails_a_run_after_three_attempts_with_a_sentence(run: TrainingRun) -> None:
    for _ in range(runs.ATTEMPTS):
        assert runs.claim(run_id=run.pk) is not None
        lose(run)
    assert runs.claim(run_id=run.pk) is None
    assert runs.recover() == []
    run.refresh_from_db()
    assert run.state == "failed"
    assert "three times" in run.error


def test_it_stops_a_cancelled_run_at_its_next_step(run: TrainingRun) -> None:
    claimed = runs.claim(run_id=run.pk)
    assert claimed is not None
    assert runs.cancel(run=run)
    assert not runs.beat(run=claimed)
    assert not runs.cancel(run=run)
