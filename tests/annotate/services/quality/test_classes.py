"""The labels of a version in order, and the versions of a project as they are listed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from sklearn.metrics import f1_score

from annotate.models import ModelVersion, Project, TrainingRun, User
from annotate.services.quality import classes, version_list
from annotate.services.runs.schedule import RunReason

pytestmark = pytest.mark.django_db


def add(project: Project, number: int, reason: str = "", **fields: object) -> ModelVersion:
    run: TrainingRun | None = None
    if reason:
        run = TrainingRun.objects.create(project=project, family="tfidf", reason=reason, state="succeeded")
    options = {"family": "tfidf", "labelled": 9, "holdout_documents": 40} | fields
    return ModelVersion.objects.create(project=project, number=number, run=run, **options)


def measure(version: ModelVersion, *figures: tuple[float | None, int]) -> None:
    for label, (f1, support) in zip(version.project.labels.order_by("position"), figures, strict=True):
        others = {"precision": f1, "recall": f1, "f1_low": f1, "f1_high": f1}
        version.class_metrics.create(label=label, threshold=0.5, support=support, f1=f1, **others)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", ["blue", "red", "green"]),
        ("-f1", ["red", "blue", "green"]),  # what is not measured stays last
        ("label", ["blue", "green", "red"]),
        ("-support", ["blue", "red", "green"]),
        ("; DROP", ["blue", "red", "green"]),
    ],
)
def test_labels_are_sorted_the_worst_first_unless_asked_otherwise(
    project: Project, sort: str, order: list[str]
) -> None:
    version = add(project, 1, macro_f1=0.7)
    measure(version, (0.9, 10), (None, 0), (0.5, 30))
    assert [row.label.name for row in classes.table(version, sort).rows] == order


def test_the_weighted_mean_is_that_of_scikit_learn(project: Project) -> None:
    rng = np.random.default_rng(0)
    true, said = rng.integers(0, 3, 60), rng.integers(0, 3, 60)
    version = add(project, 1, macro_f1=0.3)
    each = f1_score(true, said, average=None)
    measure(version, *((float(f1), int((true == j).sum())) for j, f1 in enumerate(each)))
    expected = f1_score(true, said, average="weighted")
    assert classes.table(version).weighted_f1 == pytest.approx(expected, abs=1e-9)


def test_a_trend_goes_over_versions_of_the_same_kind_up_to_this_one(project: Project) -> None:
    for number, f1, family in (
        (1, 0.2, "tfidf"),
        (2, 0.9, "embedding"),
        (3, 0.4, "tfidf"),
        (4, 0.6, "tfidf"),
    ):
        measure(add(project, number, family=family, macro_f1=f1), (f1, 10), (f1, 9), (None, 0))
    found = classes.table(project.versions.get(number=3)).trends
    assert found == {project.labels.get(name="red").pk: (0.2, 0.4)}  # nine documents are no figure


def test_unpublished_versions_of_idle_training_are_folded(project: Project) -> None:
    for number, reason in enumerate([RunReason.LABELS, *[RunReason.IDLE] * 4, RunReason.LEAD], start=1):
        add(project, number, reason, macro_f1=0.5 + number / 100)
    ModelVersion.objects.filter(number=5).update(published_at="2026-01-01T00:00Z", stage="published")
    groups = version_list.grouped(project.versions.select_related("run"))
    assert [[one.number for one in group.versions] for group in groups] == [[6], [5], [4, 3, 2], [1]]
    assert [group.is_folded for group in groups] == [False, False, True, False]
    assert (groups[2].low, groups[2].high, groups[2].oldest) == (0.52, 0.54, 2)
    ModelVersion.objects.filter(number=3).update(family="embedding")
    groups = version_list.grouped(project.versions.select_related("run"))
    assert not any(group.is_folded for group in groups)


def test_the_pages_sort_fold_and_draw(
    project: Project, lead: User, sign_in: Callable[[User], Client]
) -> None:
    for number in (1, 2, 3):
        measure(
            add(project, number, RunReason.IDLE, macro_f1=0.5, micro_f1=0.5, verdict="Not this one."),
            (number / 10, 10), (None, 0), (0.5, 10),
        )  # fmt: skip
    client = sign_in(lead)
    listed = client.get(reverse("versions", args=[project.slug])).content.decode()
    assert "3 versions of idle training, 1 to 3, not published" in listed
    assert "<summary>Not published</summary>Not this one.</details>" in listed
    page = client.get(reverse("version", args=[project.slug, 3]), {"sort": "label"}).content.decode()
    assert 'aria-label="F1 0.10 → 0.30 over 3 versions"' in page
    assert 'href="?sort=-label"' in page
    assert "<dt>Weighted F1</dt><dd>0.40</dd>" in page
