"""A cheap family learns from what the project's strong one says of the pool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotate.models import Document, ModelVersion, Project, TrainingRun, User
from annotate.services.corpus import snapshots
from annotate.services.runs import distil, execution, fit, schedule
from annotate.services.versions.variants import RunConfig
from annotate.services.work.progress import Superseded
from tests.annotate.made.bundles import add_version
from training.types import Dataset, RunSpec

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("only_tfidf")]


@pytest.fixture
def taught(
    project: Project,
    annotator: User,
    label_colours: Callable[..., None],
    add_documents: Callable[..., list[Document]],
    settings: Any,
    tmp_path: Path,
) -> TrainingRun:
    """A run of tfidf that a version of another family teaches: that one knows the labels' names."""
    settings.SCRATCH_ROOT = tmp_path / "scratch"
    settings.BUNDLE_ROOT = tmp_path / "bundles"
    label_colours(project, annotator)
    add_documents(project, *(f"the {name} number {i}" for name in ("red", "green", "blue") for i in range(8)))
    add_version(project, tmp_path / "bundles")
    ModelVersion.objects.update(family="embedding")
    config = RunConfig(teacher="embedding")
    (run,) = schedule.open_if_due(
        project=project, reason=schedule.RunReason.LEAD, family="tfidf", config=config
    )
    return run


def test_the_student_knows_what_only_its_teacher_could_tell(taught: TrainingRun, project: Project) -> None:
    execution.execute(run_id=taught.pk)
    taught.refresh_from_db()
    assert (taught.state, taught.error) == ("succeeded", "")
    version = ModelVersion.objects.get(run=taught)
    assert (version.family, version.variant) == ("tfidf", "taught by embedding")
    assert version.labelled == 18  # people's labels: the teacher's are not counted


def test_what_the_teacher_says_comes_from_the_pool_alone(
    taught: TrainingRun, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Dataset] = []

    def stop(spec: RunSpec, dataset: Dataset, *rest: Any, **given: Any) -> None:
        seen.append(dataset)
        raise Superseded

    monkeypatch.setattr(fit, "train_and_package", stop)
    execution.execute(run_id=taught.pk)
    (dataset,) = seen
    assert dataset.taught is not None
    assert dataset.pool is not None
    assert dataset.taught.texts == dataset.pool.texts
    assert len(dataset.taught.texts) == 24
    names = [label.name for label in dataset.schema.labels]
    for text, row in zip(dataset.taught.texts, dataset.taught.decisions, strict=True):
        assert names[int(row.argmax())] in text


def test_a_teacher_that_is_gone_is_a_sentence(taught: TrainingRun) -> None:
    ModelVersion.objects.update(bundle="")
    execution.execute(run_id=taught.pk)
    taught.refresh_from_db()
    assert taught.state == "failed"
    assert "There is no kept version of embedding to learn from" in taught.error


def test_a_cancelled_run_stops_while_it_is_taught(
    taught: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution.lease, "beat", lambda row, **noted: noted.get("stage") != "teach")
    assert execution.execute(run_id=taught.pk) is None
    assert not ModelVersion.objects.filter(run=taught).exists()


def test_the_teacher_is_one_that_knows_the_labels_as_they_are_now(
    taught: TrainingRun, project: Project, tmp_path: Path
) -> None:
    ModelVersion.objects.update(label_ids=[0])  # the published one has learned other labels
    for number, labels in ((2, None), (3, [0])):
        fresh = add_version(project, tmp_path / "bundles", number=number, stage="candidate")
        fresh.family, fresh.label_ids = "embedding", labels or fresh.label_ids
        fresh.save()
    label_ids = snapshots.take(project=project).label_ids
    assert distil.teacher(project, "embedding", label_ids).number == 2
    assert distil.teacher(project, "embedding", (1, 2)).number == 1


def test_a_run_by_itself_goes_on_without_a_teacher_where_the_pool_is_used_up(
    taught: TrainingRun, project: Project
) -> None:
    project.documents.filter(annotations=None).delete()
    execution.execute(run_id=taught.pk)
    taught.refresh_from_db()
    assert taught.state == "failed"
    assert "add unlabelled texts" in taught.error
    project.family_options = {"tfidf": taught.config}
    project.save()
    TrainingRun.objects.update(snapshot={})
    (run,) = schedule.open_if_due(project=project)
    execution.execute(run_id=run.pk)
    run.refresh_from_db()
    assert (run.state, run.variant, run.error) == ("succeeded", taught.variant, "")
    assert "from people's labels alone" in run.log
