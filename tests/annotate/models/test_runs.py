from __future__ import annotations

import pytest

from annotate.models import ModelVersion, TrainingRun
from annotate.models.runs import RunKind, family_title
from annotate.services.runs.execution import PLANS
from training.registry import FAMILIES


@pytest.mark.parametrize(
    ("family", "kind"),
    [*((family, RunKind.FIT) for family in FAMILIES), ("gone", RunKind.FIT), ("cascade", RunKind.CASCADE)],
)
def test_the_family_of_a_row_tells_its_kind(family: str, kind: RunKind) -> None:
    assert TrainingRun(family=family).kind == ModelVersion(family=family).kind == kind


def test_no_family_is_named_like_a_kind_of_run() -> None:
    assert not set(FAMILIES) & set(RunKind.values)


def test_each_kind_of_run_has_a_plan() -> None:
    assert set(PLANS) == set(RunKind)


def test_a_family_that_is_gone_is_called_by_its_key() -> None:
    titles = [family_title(key) for key in ("tfidf", "cascade", "gone")]
    assert titles == [FAMILIES["tfidf"].title, "Cascade of two models", "gone"]
