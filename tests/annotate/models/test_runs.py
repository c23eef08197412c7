from __future__ import annotations

import pytest

from annotate.models import ModelVersion, TrainingRun
from annotate.models.runs import RunKind, family_title
from annotate.services.runs.cascade import CascadePlan
from annotate.services.runs.execution import plan_of
from annotate.services.runs.fit import FitPlan
from annotate.services.runs.tagging import TaggingPlan
from training.registry import FAMILIES


@pytest.mark.parametrize(
    ("family", "kind"),
    [*((family, RunKind.FIT) for family in FAMILIES), ("gone", RunKind.FIT), ("cascade", RunKind.CASCADE)],
)
def test_the_family_of_a_row_tells_its_kind(family: str, kind: RunKind) -> None:
    assert TrainingRun(family=family).kind == ModelVersion(family=family).kind == kind


def test_no_family_is_named_like_a_kind_of_run() -> None:
    assert not set(FAMILIES) & set(RunKind.values)


@pytest.mark.parametrize(
    ("family", "plan"),
    [
        ("tfidf", FitPlan),
        ("fast_spans", TaggingPlan),
        ("token_classifier", TaggingPlan),
        ("cascade", CascadePlan),
    ],
)
def test_each_kind_of_run_has_a_plan(family: str, plan: type) -> None:
    assert type(plan_of(TrainingRun(family=family))) is plan


def test_a_family_that_is_gone_is_called_by_its_key() -> None:
    titles = [family_title(key) for key in ("tfidf", "cascade", "gone")]
    assert titles == [FAMILIES["tfidf"].title, "Cascade of two models", "gone"]
