from __future__ import annotations

import numpy as np
import pytest

from training.figures.evaluate import evaluate
from training.figures.evidence import FEWEST, Figure, wilson
from training.reportcard.card import Candidate, Constraints
from training.reportcard.recommend import DecidedDocuments, recommend
from training.tasks import SINGLE
from training.types import Evaluation, FloatArray, LabelSchema, LabelSpec


def right(documents: int, labels: int = 3) -> tuple[FloatArray, Evaluation]:
    """Return targets and the figures of a model that has all of them right."""
    targets = np.eye(labels, dtype=np.float32)[np.arange(documents) % labels]
    schema = LabelSchema(SINGLE, tuple(LabelSpec(str(j), str(j)) for j in range(labels)))
    cuts = np.zeros(labels, np.float32)
    return targets, evaluate(schema, targets, targets, cuts, np.random.default_rng(0))


@pytest.mark.parametrize(("documents", "is_figure"), [(2, False), (FEWEST - 1, False), (FEWEST, True)])
def test_below_ten_documents_nothing_is_a_figure(documents: int, is_figure: bool) -> None:
    _, found = right(documents)
    figures = [found.macro_f1, found.macro_f1_low, found.macro_f1_high, found.micro_f1]
    figures += [found.calibration_error, found.per_class[0].f1, found.per_class[0].precision]
    assert [figure is not None for figure in figures] == [is_figure] * len(figures)
    assert Figure.of(1.0, 0.8, 1.0, documents).is_measured == is_figure


def test_counts_stay_where_figures_are_withheld() -> None:
    _, found = right(4)
    assert [(row.support, row.hits, row.decided) for row in found.per_class] == [
        (2, 2, 2),
        (1, 1, 1),
        (1, 1, 1),
    ]


@pytest.mark.parametrize("documents", [10, 12, 60, 3_000])
def test_a_model_that_has_all_right_still_has_an_interval(documents: int) -> None:
    _, found = right(documents)
    assert found.macro_f1 == 1.0
    assert found.macro_f1_low is not None
    assert found.macro_f1_low < 1.0
    for row in found.per_class:
        assert row.f1_low is not None
        assert row.f1_low < 1.0 == row.f1_high


def test_a_share_of_few_documents_has_the_score_interval() -> None:
    # 8 of 10, worked out by Wilson's formula.
    low, high = wilson(0.8, 10)
    assert (float(low), float(high)) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert [float(end) for end in wilson(0.0, 0)] == pytest.approx([0.0, 1.0])


def test_nothing_is_recommended_on_four_documents() -> None:
    targets, evaluation = right(4)
    only = Candidate("one", "tfidf", evaluation=evaluation)
    found = recommend([only], DecidedDocuments(targets, {"one": targets > 0}), Constraints())
    assert found.name is None
    assert "from 10 held-out documents on; there are 4" in found.reason
