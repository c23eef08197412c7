"""A queue stands still where rows wait and none was taken up since the oldest of them began to wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from annotate import kinds, pulse
from annotate.models import Import, Job, Project, TrainingRun, WorkerPulse
from annotate.models.jobs import JobKind
from annotate.queues import INTERACTIVE, TRAINING
from annotate.services.imports import job as imports
from annotate.services.imports.columns import ColumnMapping
from annotate.services.work import jobs, lease, standstill
from annotate.services.work.standstill import Standstill

pytestmark = pytest.mark.django_db


def of(queue: str) -> Standstill | None:
    return standstill.of(kinds.rows_of(queue))


@pytest.fixture
def ago() -> Callable[[float], datetime]:
    now = timezone.now()
    return lambda minutes: now - timedelta(minutes=minutes)


def run(project: Project, **fields: object) -> TrainingRun:
    return TrainingRun.objects.create(project=project, family="tfidf", reason="lead", **fields)


def test_rows_of_every_kind_of_the_queue_wait(project: Project, ago: Callable[[float], datetime]) -> None:
    assert of(TRAINING) is None
    run(project, queued_at=ago(3))
    assert of(TRAINING) == Standstill(1, ago(3))
    Job.objects.create(project=project, kind=JobKind.VECTORS, queued_at=ago(5))
    assert of(TRAINING) == Standstill(2, ago(5))
    assert of(INTERACTIVE) is None
    Job.objects.update(state="succeeded")
    assert of(TRAINING) == Standstill(1, ago(3))


def test_work_that_was_taken_up_meanwhile_says_that_the_queue_moves(
    project: Project, ago: Callable[[float], datetime]
) -> None:
    run(project, queued_at=ago(5))
    job = Job.objects.create(project=project, kind=JobKind.VECTORS, state="succeeded", started_at=ago(6))
    assert of(TRAINING) == Standstill(1, ago(5))
    Job.objects.filter(pk=job.pk).update(started_at=ago(4))
    assert of(TRAINING) is None


def test_what_waits_behind_running_work_says_since_when_that_runs(
    project: Project, ago: Callable[[float], datetime]
) -> None:
    run(project, queued_at=ago(5))
    other = Job.objects.create(
        project=project, kind=JobKind.VECTORS, state="running", started_at=ago(9), lease_expires_at=ago(-1)
    )
    assert of(TRAINING) == Standstill(1, ago(5), busy_since=ago(9))
    Job.objects.filter(pk=other.pk).update(lease_expires_at=ago(1))  # its worker is lost: it waits as well
    assert of(TRAINING) == Standstill(2, ago(5))
    TrainingRun.objects.all().delete()
    assert of(TRAINING) == Standstill(1, ago(1))


def test_a_row_waits_from_when_it_was_queued_last(project: Project, ago: Callable[[float], datetime]) -> None:
    upload = Import.objects.create(project=project, name="a.csv", state="uploaded", queued_at=ago(60))
    assert imports.start(upload=upload, mapping=ColumnMapping(text="text"), dry_run=True)
    found = of(INTERACTIVE)
    assert found is not None
    assert found.since > ago(1)
    (job,) = jobs.ask(kind=JobKind.VECTORS, project=project)
    Job.objects.update(queued_at=ago(60))
    claimed = lease.claim(Job, job.pk)
    assert claimed is not None
    assert lease.give_way(row=claimed)
    found = of(TRAINING)
    assert found is not None
    assert found.since > ago(1)


def test_a_worker_tells_with_each_pulse_how_its_queue_stands(
    project: Project, ago: Callable[[float], datetime]
) -> None:
    row = run(project, queued_at=ago(5))
    pulse.record([TRAINING])
    told = WorkerPulse.objects.get()
    assert (told.waiting, told.still_since, told.busy_since) == (1, ago(5), None)
    assert told.stands_still
    assert lease.claim(TrainingRun, row.pk)
    pulse.record([TRAINING])
    told.refresh_from_db()
    assert (told.waiting, told.still_since, told.busy_since) == (0, None, None)
    assert not told.stands_still
