"""Families that train for minutes: their own queue, what a killed run goes on from, and their end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate import tasks
from annotate.models import Project, TrainingRun, User
from annotate.services.pages import overview, status_line
from annotate.services.runs import execution, fit, schedule, scratch
from annotate.services.work import lease
from annotate.services.work.progress import Superseded
from training.registry import slow_families
from training.types import Dataset, RunSpec, TrainingError

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> None:
    settings.SCRATCH_ROOT = tmp_path / "scratch"
    settings.BUNDLE_ROOT = tmp_path / "bundles"


@pytest.fixture
def run(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
    add_documents: Callable[..., object],
) -> TrainingRun:
    label_colours(project, annotator)
    add_documents(project, "one more", "and one")
    (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD, family="transformer")
    return run


class Trainer:
    """Stands in for the pipeline: keeps a file in the scratch folder, tells, and ends as it is told to."""

    def __init__(self, end: Callable[[], BaseException]) -> None:
        self.end = end
        self.learned: list[int] = []
        self.pools: list[int] = []
        self.scratch: Path | None = None

    def __call__(self, spec: RunSpec, dataset: Dataset, folder: Path, **given: Any) -> None:
        self.learned.append(len(dataset))
        self.pools.append(len(dataset.pool.texts) if dataset.pool else 0)
        assert spec.scratch is not None
        self.scratch = spec.scratch
        self.scratch.mkdir(parents=True, exist_ok=True)
        (self.scratch / "state").write_text("half-way")
        given["on_progress"]("fit", 0.5)
        raise self.end()


def test_what_is_fine_tuned_is_slow() -> None:
    assert sorted(slow_families()) == ["token_classifier", "transformer"]


def test_a_slow_run_wakes_the_worker_of_its_own_queue(
    run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    monkeypatch.setattr(tasks, "send", lambda kind, pk: sent.append((kind.name, kind.queue, pk)))
    quick = TrainingRun.objects.create(project=run.project, family="tfidf", reason="lead")
    tasks.wake([run, quick])
    assert sent == [("fine_tune", "finetuning", run.pk), ("train", "training", quick.pk)]


def test_a_killed_run_finds_its_scratch_folder_and_its_labels_again(
    run: TrainingRun, annotator: User, label_colours: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(KeyboardInterrupt)
    monkeypatch.setattr(fit, "train_and_package", trainer)
    for attempt in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            execution.execute(run_id=run.pk)
        assert trainer.scratch == scratch.folder(run)
        assert (scratch.folder(run) / "state").exists()
        label_colours(run.project, annotator, offset=100 * attempt)
    assert trainer.learned == [18, 18]


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_run_that_is_over_leaves_no_scratch_folder(
    end: str, run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended() -> BaseException:
        lease.cancel(row=run)
        return Superseded()

    failed = Trainer(lambda: TrainingError("It cannot."))
    trainer = failed if end == "failed" else Trainer(ended)
    monkeypatch.setattr(fit, "train_and_package", trainer)
    assert execution.execute(run_id=run.pk) is None
    run.refresh_from_db()
    assert run.state == end
    assert not scratch.folder(run).exists()


def test_a_slow_family_scores_a_part_of_the_pool(run: TrainingRun, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(lambda: TrainingError("It cannot."))
    monkeypatch.setattr(fit, "train_and_package", trainer)
    monkeypatch.setattr(fit, "SLOW_POOL", 1)
    execution.execute(run_id=run.pk)
    assert trainer.pools == [1]


def test_nobody_waits_for_a_slow_run(run: TrainingRun, annotator: User) -> None:
    assert status_line.of(project=run.project, annotator=annotator).run is None
    learning = overview.learning(run.project)
    assert learning.live == (run,)
    assert learning.is_waiting_for_labels
    quick = TrainingRun.objects.create(project=run.project, family="tfidf", reason="lead")
    assert status_line.of(project=run.project, annotator=annotator).run == quick
    assert not overview.learning(run.project).is_waiting_for_labels
