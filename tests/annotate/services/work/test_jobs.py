from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Job, ModelVersion, Project
from annotate.models.jobs import JobKind
from annotate.services.work import jobs, lease
from annotate.services.work.jobs import Turn
from annotate.services.work.progress import ProgressMeter
from training.types import TrainingError

pytestmark = pytest.mark.django_db
VECTORS = JobKind.VECTORS


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project, number=1, family="tfidf", labelled=2, holdout_documents=0
    )


def ask(project: Project) -> Job:
    (job,) = jobs.ask(kind=VECTORS, project=project)
    return job


def never(job: Job, meter: ProgressMeter) -> Turn:
    raise AssertionError("Nothing was to be done.")


def test_a_subject_has_one_live_job_of_a_kind(
    project: Project, multi_project: Project, version: ModelVersion
) -> None:
    second = ModelVersion.objects.create(
        project=project, number=2, family="tfidf", labelled=2, holdout_documents=0
    )
    ask(project)
    assert jobs.ask(kind=VECTORS, project=project) == []
    assert len(jobs.ask(kind=VECTORS, project=multi_project)) == 1
    assert len(jobs.ask(kind=JobKind.REPORTCARD, project=project)) == 1
    for one in (version, second):
        assert len(jobs.ask(kind=JobKind.RESCORE, project=project, version=one)) == 1
        assert jobs.ask(kind=JobKind.RESCORE, project=project, version=one) == []


def test_a_job_is_done_and_may_be_asked_for_again(project: Project, multi_project: Project) -> None:
    job, other = ask(project), ask(multi_project)
    assert jobs.is_live(kind=VECTORS, project=project)
    assert not jobs.is_live(kind=JobKind.REPORTCARD, project=project)
    assert jobs.do(job.pk, lambda row, meter: Turn(opened=[other])) == [other]
    assert not jobs.is_live(kind=VECTORS, project=project)
    assert jobs.do(job.pk, never) == ()
    assert ask(project).pk != job.pk


def test_a_job_that_is_not_done_gives_way_and_is_woken_again_without_an_attempt(project: Project) -> None:
    job = ask(project)
    for _ in range(5):
        assert jobs.do(job.pk, lambda row, meter: Turn(is_last=False)) == [job]
        job.refresh_from_db()
        assert (job.state, job.attempt) == ("queued", 0)
    assert jobs.do(job.pk, lambda row, meter: Turn()) == ()
    job.refresh_from_db()
    assert job.state == "succeeded"


def test_what_is_asked_for_while_a_job_runs_is_done_after_it(project: Project) -> None:
    job = ask(project)

    def asked_meanwhile(row: Job, meter: ProgressMeter) -> Turn:
        assert jobs.ask(kind=VECTORS, project=project, anew=True) == []
        return Turn()

    assert jobs.do(job.pk, asked_meanwhile) == [job]
    job.refresh_from_db()
    assert (job.state, job.is_anew) == ("queued", True)
    assert jobs.do(job.pk, lambda row, meter: Turn()) == ()
    job.refresh_from_db()
    assert job.state == "succeeded"


def test_what_is_asked_for_before_a_job_begins_is_done_by_it(project: Project) -> None:
    job = ask(project)
    jobs.ask(kind=VECTORS, project=project)
    assert jobs.do(job.pk, lambda row, meter: Turn()) == ()
    job.refresh_from_db()
    assert (job.state, job.is_anew) == ("succeeded", False)


def test_a_job_that_was_cancelled_in_its_turn_does_not_give_way(project: Project) -> None:
    job = ask(project)

    def cancelled(row: Job, meter: ProgressMeter) -> Turn:
        lease.cancel(row=row)
        return Turn(is_last=False)

    assert not jobs.do(job.pk, cancelled)
    job.refresh_from_db()
    assert job.state == "cancelled"


@pytest.mark.parametrize("kind", JobKind)
def test_any_error_ends_a_job_of_each_kind_after_three_attempts(
    kind: JobKind, project: Project, version: ModelVersion
) -> None:
    (job,) = jobs.ask(kind=kind, project=project, version=version if kind is JobKind.RESCORE else None)

    def broken(row: Job, meter: ProgressMeter) -> Turn:
        raise ZeroDivisionError("by nothing")

    for attempt in (1, 2, 3):
        assert jobs.do(job.pk, broken) == ()
        job.refresh_from_db()
        assert (job.attempt, job.state) == (attempt, "failed" if attempt == 3 else "queued")
    assert "ZeroDivisionError: by nothing" in job.error
    assert jobs.do(job.pk, never) == ()
    assert jobs.failed(project=project) == [job]


@pytest.mark.parametrize("aside", [-jobs.REST_SECONDS - 1, 3_600])  # the clock has gone back since
def test_a_job_that_failed_rests_before_the_tick_opens_another(project: Project, aside: int) -> None:
    job = ask(project)

    def refused(row: Job, meter: ProgressMeter) -> Turn:
        raise TrainingError("There is no such encoder.")

    jobs.do(job.pk, refused)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.error) == ("failed", 1, "There is no such encoder.")
    assert jobs.ask_if_rested(kind=VECTORS, project=project) == []
    Job.objects.update(finished_at=timezone.now() + timedelta(seconds=aside))
    (again,) = jobs.ask_if_rested(kind=VECTORS, project=project)
    assert jobs.ask_if_rested(kind=VECTORS, project=project) == []
    again.refresh_from_db()
    assert not again.is_asked_again  # to look whether it is due is not to ask for it


def test_people_need_not_wait_until_a_failed_job_has_rested(project: Project) -> None:
    job = ask(project)
    Job.objects.filter(pk=job.pk).update(state="failed", finished_at=timezone.now())
    assert jobs.ask_if_rested(kind=VECTORS, project=project) == []
    ask(project)


def test_a_failure_is_told_until_the_kind_succeeds_again(project: Project) -> None:
    job = ask(project)
    Job.objects.filter(pk=job.pk).update(state="failed")
    assert jobs.failed(project=project) == [job]
    job = ask(project)
    assert len(jobs.failed(project=project)) == 1  # one that only waits has mended nothing yet
    Job.objects.filter(pk=job.pk).update(state="succeeded")
    assert jobs.failed(project=project) == []


def test_a_project_keeps_its_latest_jobs_of_a_kind(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "KEPT", 2)
    (card,) = jobs.ask(kind=JobKind.REPORTCARD, project=project)
    made = []
    for _ in range(5):
        made.append(ask(project))
        Job.objects.filter(pk=made[-1].pk).update(state="succeeded")
    assert set(Job.objects.all()) == {card, *made[-3:]}


def test_a_live_job_is_never_forgotten(
    project: Project, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "KEPT", 0)
    (old,) = jobs.ask(kind=JobKind.RESCORE, project=project, version=version)
    second = ModelVersion.objects.create(
        project=project, number=2, family="tfidf", labelled=2, holdout_documents=0
    )
    (new,) = jobs.ask(kind=JobKind.RESCORE, project=project, version=second)
    assert set(Job.objects.all()) == {old, new}
