from __future__ import annotations

import pytest

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
