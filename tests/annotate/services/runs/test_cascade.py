"""Two versions combined: a run like any other, a version like any other, and who answered what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotate.models import Document, ModelVersion, Prediction, Project, User
from annotate.services.corpus import snapshots
from annotate.services.runs import cascade, execution, schedule
from annotate.services.versions import predictions, rescore
from training.bundles.cascade import CascadePredictor, open_predictor
from training.figures.thresholds import tune
from training.types import Objective

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("only_tfidf")]


@pytest.fixture
def two(
    project: Project, annotator: User, label_colours: Callable[..., None], settings: Any, tmp_path: Path
) -> tuple[ModelVersion, ModelVersion]:
    """Two versions of a project whose tuning half is labelled: the first learned from few documents."""
    settings.SCRATCH_ROOT = tmp_path / "scratch"
    predictions.CACHE.clear()
    return two_versions(project, annotator, label_colours)


def two_versions(
    project: Project, annotator: User, label_colours: Callable[..., None]
) -> tuple[ModelVersion, ModelVersion]:
    label_colours(project, annotator, each=4)
    label_colours(project, annotator, lane="holdout", each=24)
    held = Document.objects.filter(project=project, lane="holdout").order_by("pk")
    tuning = [document.pk for i, document in enumerate(held) if i % 2]
    Document.objects.filter(pk__in=tuning).update(half="tuning")
    versions = []
    for turn in (1, 2):
        (run,) = schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
        execution.execute(run_id=run.pk)
        versions.append(ModelVersion.objects.get(run=run))
        label_colours(project, annotator, each=8, offset=100 * turn)
    return versions[0], versions[1]


def combine(project: Project, lead: User, cheap: int, strong: int) -> ModelVersion | None:
    (run,) = cascade.combine(project=project, cheap=cheap, strong=strong, by=lead)
    execution.execute(run_id=run.pk)
    return ModelVersion.objects.filter(run=run).first()


def test_a_cascade_is_a_version_with_its_own_figures(
    two: tuple[ModelVersion, ModelVersion], project: Project, lead: User
) -> None:
    version = combine(project, lead, two[0].number, two[1].number)
    assert version is not None
    assert (version.family, version.number, version.label_ids) == ("cascade", 3, two[1].label_ids)
    assert version.macro_f1 is not None
    assert version.class_metrics.count() == 3
    assert version.report["details"]["cheap"] == two[0].number
    assert version.report["details"]["cheap_share"] > 0
    assert isinstance(open_predictor(version.bundle_folder), CascadePredictor)


def test_its_thresholds_suit_the_objective_of_the_project(
    multi_project: Project,
    annotator: User,
    lead: User,
    label_colours: Callable[..., None],
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.SCRATCH_ROOT = tmp_path / "scratch"
    Project.objects.update(objective="precision", objective_value=0.9)
    two = two_versions(multi_project, annotator, label_colours)
    version = combine(multi_project, lead, two[0].number, two[1].number)
    assert version is not None
    tuning, combined = snapshots.take(project=multi_project).tuning, open_predictor(version.bundle_folder)
    scores = combined.predict_proba(tuning.texts)
    for_precision = tune(scores, tuning.targets, Objective.PRECISION, 0.9)
    np.testing.assert_array_equal(combined.thresholds, for_precision)
    assert (for_precision != tune(scores, tuning.targets)).any()


def test_it_predicts_and_says_which_part_answered(
    two: tuple[ModelVersion, ModelVersion], project: Project, lead: User
) -> None:
    version = combine(project, lead, two[0].number, two[1].number)
    assert version is not None
    ModelVersion.objects.filter(project=project).update(stage="retired")
    ModelVersion.objects.filter(pk=version.pk).update(stage="published")
    texts = ["rose and ruby", "what is this", ""]
    found = predictions.predict(project=project, texts=texts)
    combined = open_predictor(version.bundle_folder)
    assert isinstance(combined, CascadePredictor)
    by_strong = combined.answer(texts).by_strong
    assert [text.answered_by for text in found.texts] == ["strong" if one else "cheap" for one in by_strong]
    assert found.family == "cascade"
    version.refresh_from_db()
    assert rescore.prelabel(version=version) == project.documents.count()
    assert set(Prediction.objects.values_list("version", flat=True)) == {version.pk}


def test_a_part_whose_bundle_is_gone_fails_with_a_sentence(
    two: tuple[ModelVersion, ModelVersion], project: Project, lead: User
) -> None:
    ModelVersion.objects.filter(pk=two[0].pk).update(bundle="")
    assert combine(project, lead, two[0].number, two[1].number) is None
    run = project.runs.get(family="cascade")
    assert (run.state, run.error) == (
        "failed",
        f"The bundle of version {two[0].number} is no longer kept; train its family again.",
    )


def test_without_tuning_documents_it_fails_with_a_sentence(
    two: tuple[ModelVersion, ModelVersion], project: Project, lead: User
) -> None:
    Document.objects.filter(half="tuning").update(half="reporting")
    assert combine(project, lead, two[0].number, two[1].number) is None
    assert "needs tuning documents" in project.runs.get(family="cascade").error


def test_two_are_combined_once_at_a_time(
    two: tuple[ModelVersion, ModelVersion], project: Project, lead: User
) -> None:
    numbers = {"cheap": two[0].number, "strong": two[1].number}
    assert len(cascade.combine(project=project, by=lead, **numbers)) == 1
    assert cascade.combine(project=project, by=lead, **numbers) == []
