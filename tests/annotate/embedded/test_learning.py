"""A command lets models learn: it works itself where no site is up, and waits with a bound where one is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from django.utils import timezone

from annotate import queues
from annotate.embedded import claims, learning
from annotate.embedded.learning import SiteLearning
from annotate.models import Project, TrainingRun, User, WorkerPulse
from annotate.models.work import Work
from annotate.services.work import lease

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("only_tfidf")]


class Bell:
    """Hears what a command says, and wakes no worker."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.woken: list[Work] = []

    def wake(self, rows: Iterable[Work]) -> None:
        self.woken += rows


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def learner(project: Project, tmp_path: Path, bell: Bell) -> SiteLearning:
    return SiteLearning(project, tmp_path, wake=bell.wake, write=bell.said.append)


def site_is_up() -> None:
    WorkerPulse.objects.create(queue=queues.TRAINING, seen_at=timezone.now())


def test_without_a_site_it_trains_itself_and_tells_the_version(
    project: Project, annotator: User, label_colours: Callable[..., None], learner: SiteLearning, bell: Bell
) -> None:
    label_colours(project, annotator)
    label_colours(project, annotator, lane="holdout", each=8)
    learner.after_step(18)
    assert bell.said == ["18 answers: version 1 is published, macro-F1 1.00."]
    assert not project.runs.live().exists()


def test_a_version_without_enough_holdout_has_no_figure(
    project: Project, annotator: User, label_colours: Callable[..., None], learner: SiteLearning, bell: Bell
) -> None:
    label_colours(project, annotator)
    learner.after_step(18)
    assert bell.said == ["18 answers: version 1 is published, macro-F1 not measurable yet."]


def test_too_few_labels_for_a_model_are_said(learner: SiteLearning, bell: Bell) -> None:
    learner.after_step(0)
    assert bell.said == ["0 answers: no model is published yet."]


def test_beside_a_site_it_leaves_the_work_to_the_workers_and_waits_no_longer_than_its_bound(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
    learner: SiteLearning,
    bell: Bell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(learning, "PATIENCE", 0.3)
    site_is_up()
    label_colours(project, annotator)
    learner.after_step(18)
    assert bell.said[0] == "A model takes longer than 0.3 seconds, so this does not wait for it any more."
    assert [run.state for run in project.runs.all()] == ["queued"]
    assert bell.woken == list(TrainingRun.objects.all())


def test_it_goes_on_as_soon_as_a_worker_has_done_the_run(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
    learner: SiteLearning,
    bell: Bell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site_is_up()
    label_colours(project, annotator)
    looks = list[float]()

    def work(seconds: float) -> None:
        looks.append(seconds)
        run = lease.claim(TrainingRun, project.runs.get().pk)
        assert run is not None
        lease.succeed(row=run)

    monkeypatch.setattr("annotate.embedded.learning.time.sleep", work)
    learner.after_step(18)
    assert looks == [learning.LOOK_SECONDS]
    assert bell.said == ["18 answers: no model is published yet."]


def test_at_the_end_the_report_card_is_measured(
    project: Project, annotator: User, label_colours: Callable[..., None], learner: SiteLearning, bell: Bell
) -> None:
    learner.end()
    assert not project.jobs.exists()  # nothing to measure yet
    label_colours(project, annotator)
    label_colours(project, annotator, lane="holdout", each=8)
    learner.after_step(42)
    learner.end()
    assert project.report_cards.count() == 1
    assert len(bell.said) == 1


def test_a_site_that_has_just_started_is_known_by_its_folder(tmp_path: Path) -> None:
    assert not claims.is_held(tmp_path)
    lock = claims.FolderLock(tmp_path, url="http://127.0.0.1:8000/")
    assert claims.is_held(tmp_path)
    lock.close()
    assert not claims.is_held(tmp_path)
