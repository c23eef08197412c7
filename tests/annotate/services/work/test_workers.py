"""Real processes that die or hang: what they held is taken up, and they are gone."""

from __future__ import annotations

import multiprocessing
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from annotate.models import Project, TrainingRun
from annotate.services.work import lease, limits, watch, workers

pytestmark = pytest.mark.django_db
FORK = multiprocessing.get_context("fork")
MODELS = {"TrainingRun": TrainingRun}


@pytest.fixture(autouse=True)
def long_lease(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_own", None)
    settings.RUN_LEASE_SECONDS = 600
    settings.WORKER_ROOT = tmp_path / "workers"


@pytest.fixture
def run(project: Project) -> TrainingRun:
    row = TrainingRun.objects.create(project=project, family="tfidf", reason="lead")
    found = lease.claim(TrainingRun, row.pk)
    assert found is not None
    return found


def _sleep() -> None:
    time.sleep(600)


def _hang() -> None:
    """Never come back to Python: no thread of this process runs any more, and it hears no signal."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    re.match(r"(a+)+$", "a" * 60 + "b")


def _work(told: Connection, row: tuple[int, int], work: Callable[[], None]) -> None:
    with workers.busy("TrainingRun", *row):
        told.send(workers.this_worker())
        work()


@contextmanager
def child(run: TrainingRun, work: Callable[[], None] = _sleep) -> Iterator[Any]:
    """Give a process that holds the run, forked from this one as Celery does it."""
    here, there = FORK.Pipe()
    process = FORK.Process(target=_work, args=(there, (run.pk, run.token), work))
    process.start()
    TrainingRun.objects.filter(pk=run.pk).update(worker=here.recv())
    try:
        yield process
    finally:
        process.kill()
        process.join()


def recovered() -> list[TrainingRun]:
    return lease.recover(lease.rows_of(TrainingRun))


def test_what_a_dead_process_held_is_taken_up_at_once_and_what_a_living_one_holds_is_not(
    run: TrainingRun,
) -> None:
    with child(run) as process:
        assert recovered() == []
        process.kill()
        process.join()
        assert recovered() == [run]
    again = lease.claim(TrainingRun, run.pk)
    assert again is not None
    assert (again.attempt, again.token) == (2, run.token + 1)


def test_what_was_told_to_stop_and_then_killed_is_taken_up_at_once_and_has_lost_no_attempt(
    run: TrainingRun,
) -> None:
    with child(run) as process:
        assert lease.pardon(TrainingRun) == 1
        assert recovered() == []
        process.kill()
        process.join()
    assert recovered() == [run]
    again = lease.claim(TrainingRun, run.pk)
    assert again is not None
    assert again.attempt == 1


@pytest.mark.parametrize("worker", ["", "another-host.7.0a0a0a0a.9.0b0b0b0b", "host:12", "../../etc/passwd"])
def test_a_worker_of_another_machine_keeps_its_lease(run: TrainingRun, worker: str) -> None:
    TrainingRun.objects.update(worker=worker)
    assert recovered() == []


def test_a_process_that_cannot_write_its_file_works_all_the_same(
    run: TrainingRun, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a folder that is read-only: others wait for the end of its lease then."""
    (tmp_path / "a file").touch()
    settings.WORKER_ROOT = tmp_path / "a file" / "workers"
    monkeypatch.setattr(workers, "_own", None)
    with workers.busy("TrainingRun", run.pk, 1):
        assert not workers.is_dead(workers.this_worker())
    assert workers.children() == []


def test_work_whose_process_is_killed_three_times_says_where_and_what_that_may_mean(run: TrainingRun) -> None:
    for attempt in (1, 2, 3):
        lease.beat(row=run, stage="fit")
        with child(run) as process:
            process.kill()
            process.join()
        found = recovered()
        run.refresh_from_db()
        assert run.attempt == attempt
        if attempt < 3:
            assert found == [run]
            run = lease.claim(TrainingRun, run.pk) or run
    assert run.state == "failed"
    assert "killed three times" in run.error
    assert "“fit”" in run.error
    assert "memory runs out" in run.error


def silent(run: TrainingRun, seconds: float, stage: str = "fit") -> None:
    noted_at = timezone.now() - timedelta(seconds=seconds)
    TrainingRun.objects.filter(pk=run.pk).update(noted_at=noted_at, stage=stage)


def test_a_hung_process_is_killed_at_its_stage_s_limit_and_the_row_says_which_stage(run: TrainingRun) -> None:
    """The one of the test holds the interpreter for ever, as a deadlock in native code may."""
    with child(run, _hang) as process:
        silent(run, limits.SILENT_SECONDS["export"] - 5, "export")
        assert watch.look_after_children(MODELS) == 0
        silent(run, limits.SILENT_SECONDS["export"] + 5, "export")
        assert watch.look_after_children(MODELS) == 1
        process.join(10)
        assert process.exitcode == -signal.SIGKILL
    run.refresh_from_db()
    assert run.state == "failed"
    assert "hung in the stage “export”" in run.error
    assert watch.look_after_children(MODELS) == 0


def test_a_heartbeat_alone_is_no_sign_that_the_work_goes_on(run: TrainingRun) -> None:
    silent(run, limits.SILENT_SECONDS["fit"] + 5)
    lease.beat(row=run)
    run.refresh_from_db()
    assert "hung" in limits.overdue(run)
    lease.beat(row=run, progress=0.5)
    run.refresh_from_db()
    assert limits.overdue(run) == ""


def test_a_family_that_takes_minutes_may_be_silent_for_longer(run: TrainingRun, settings: Any) -> None:
    silent(run, limits.SILENT_SECONDS["fit"] + 5)
    run.refresh_from_db()
    assert limits.overdue(run)
    run.is_slow = True
    assert limits.overdue(run) == ""
    run.is_slow = False
    settings.STAGE_LIMIT_FACTOR = 2.0
    assert limits.overdue(run) == ""


def test_work_that_tells_and_never_ends_is_ended_as_well(run: TrainingRun, settings: Any) -> None:
    long_ago = timezone.now() - timedelta(seconds=settings.RUN_HARD_LIMIT_SECONDS + 1)
    TrainingRun.objects.update(started_at=long_ago, stage="fit")
    with child(run) as process:
        assert watch.look_after_children(MODELS) == 1
        process.join(10)
        assert process.exitcode == -signal.SIGKILL
    run.refresh_from_db()
    assert "took longer than" in run.error


@pytest.mark.parametrize("how", ["cancelled", "taken over"])
def test_a_process_that_goes_on_with_what_is_not_its_own_any_more_is_killed_after_a_while(
    how: str, run: TrainingRun, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(watch.time, "monotonic", lambda: now)
    with child(run, _hang) as process:
        if how == "cancelled":
            lease.cancel(row=run)
        else:
            TrainingRun.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
            assert lease.claim(TrainingRun, run.pk) is not None
        assert watch.look_after_children(MODELS) == 0
        now += settings.RUN_LEASE_SECONDS - 1
        assert watch.look_after_children(MODELS) == 0
        assert process.is_alive()
        now += 1
        assert watch.look_after_children(MODELS) == 1
        process.join(10)
        assert process.exitcode == -signal.SIGKILL
    run.refresh_from_db()
    assert run.state == ("cancelled" if how == "cancelled" else "running")


def test_a_process_without_work_is_left_alone(run: TrainingRun) -> None:
    with workers.busy("TrainingRun", run.pk, run.token):
        assert [busy.pk for _name, busy in workers.children()] == [run.pk]
    assert workers.children() == []
