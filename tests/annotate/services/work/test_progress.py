from __future__ import annotations

import pytest
from django.db import OperationalError

from annotate.models import Project, TrainingRun
from annotate.services.work import lease, progress
from annotate.services.work.progress import ProgressMeter, Superseded

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project: Project) -> TrainingRun:
    return TrainingRun.objects.create(project=project, family="tfidf", reason="lead")


def test_a_cancelled_run_ends_at_the_next_thing_noted(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "NOTED_SECONDS", 0.0)
    note = ProgressMeter(lease.claim(TrainingRun, run.pk) or run)
    note("fit", 0.25)
    run.refresh_from_db()
    assert (run.stage, run.progress) == ("fit", 0.25)
    lease.cancel(row=run)
    with pytest.raises(Superseded):
        note("fit", 0.3)


def test_the_row_is_not_written_at_every_step(run: TrainingRun) -> None:
    note = ProgressMeter(lease.claim(TrainingRun, run.pk) or run)
    note("fit", 0.25)
    note("fit", 0.26)
    run.refresh_from_db()
    assert run.progress == 0.25
    note("tune", 0.4)
    run.refresh_from_db()
    assert (run.stage, run.progress) == ("tune", 0.4)


def test_work_before_the_fit_takes_its_share_of_the_way(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[str, float]] = []

    def beat(row: TrainingRun, stage: str, progress: float) -> bool:
        noted.append((stage, round(progress, 3)))
        return True

    monkeypatch.setattr(lease, "beat", beat)
    note = ProgressMeter(run)
    note("read", 0.0)
    before = note.until(0.7)
    before("vectors", 0.5)
    note("fit", 0.0)
    note("done", 1.0)
    assert noted == [("read", 0.0), ("vectors", 0.35), ("fit", 0.7), ("done", 1.0)]


def test_a_second_later_the_same_stage_is_noted_again(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    note = ProgressMeter(lease.claim(TrainingRun, run.pk) or run)
    for seconds, done, expected in [(0.0, 0.1, 0.1), (0.9, 0.2, 0.1), (1.0, 0.3, 0.3), (1.9, 0.4, 0.3)]:
        now = 100.0 + seconds
        note("fit", done)
        run.refresh_from_db()
        assert run.progress == expected


class Away:
    """A database that refuses what a worker notes, as many times as `times` says."""

    def __init__(self, times: int) -> None:
        self.left = times

    def beat(self, **given: object) -> bool:
        self.left -= 1
        if self.left >= 0:
            raise OperationalError("the database system is shutting down")
        return True


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(progress, "NOTED_SECONDS", 0.0)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_for_a_moment_does_not_end_a_run(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch, no_pause: None, caplog: pytest.LogCaptureFixture
) -> None:
    note = ProgressMeter(run)
    away = Away(3)
    monkeypatch.setattr(lease, "beat", away.beat)
    note("fit", 0.0)
    assert away.left < 0  # a new stage has waited: what follows needs the database
    away.left = 1
    note("fit", 0.5)
    assert away.left == 0  # within a stage nobody waits
    assert "was not noted" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_new_stage_waits_for_the_database_no_longer_than_a_lease(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch, no_pause: None, settings: pytest.FixtureRequest
) -> None:
    settings.RUN_LEASE_SECONDS = 0.05  # type: ignore[attr-defined]
    monkeypatch.setattr(lease, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(lease, "beat", Away(10_000).beat)
    with pytest.raises(OperationalError):
        ProgressMeter(run)("fit", 0.0)


def test_inside_a_transaction_nothing_is_tried_again(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch, no_pause: None
) -> None:
    away = Away(2)
    monkeypatch.setattr(lease, "beat", away.beat)
    with pytest.raises(OperationalError):  # the test's own transaction
        ProgressMeter(run)("fit", 0.0)
    assert away.left == 1
