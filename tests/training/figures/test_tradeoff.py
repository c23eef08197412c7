from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_curve

from training.figures.evidence import wilson
from training.figures.thresholds import UNREACHABLE
from training.figures.tradeoff import (
    Aim,
    at_threshold,
    decided_otherwise,
    effect,
    precision_recall,
    threshold_for,
)

SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1], np.float32)
TARGETS = np.array([1, 1, 0, 1, 0, 0, 1, 0, 0, 0], np.float32)


def noisy(seed: int, documents: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of two decimals, so that many are equal, and targets that follow them."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(1.2, 2, documents).round(2).astype(np.float32)
    return scores, (rng.random(documents) < scores).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_that_of_scikit_learn(seed: int) -> None:
    scores, targets = noisy(seed)
    precision, recall, thresholds = precision_recall_curve(targets, scores)
    curve = precision_recall(scores, targets)
    assert curve.thresholds == pytest.approx(thresholds, abs=1e-9)
    assert curve.precision == pytest.approx(precision[:-1], abs=1e-9)
    assert curve.recall == pytest.approx(recall[:-1], abs=1e-9)


def test_without_a_document_of_the_label_nothing_is_missed() -> None:
    curve = precision_recall(SCORES, np.zeros(10, np.float32))
    assert (set(curve.precision.tolist()), set(curve.recall.tolist())) == ({0.0}, {1.0})


@pytest.mark.parametrize("seed", range(3))
def test_figures_at_a_threshold_are_those_of_scikit_learn(seed: int) -> None:
    scores, targets = noisy(seed)
    found = at_threshold(scores, targets, 0.4)
    assert found.f1.estimate == pytest.approx(f1_score(targets, scores >= np.float32(0.4)), abs=1e-9)


def test_figures_come_with_their_counts_and_intervals() -> None:
    found = at_threshold(SCORES, TARGETS, 0.6)
    assert (found.hits, found.decided, found.support) == (3, 4, 4)
    assert (found.precision.estimate, found.recall.estimate, found.f1.estimate) == (0.75, 0.75, 0.75)
    assert (found.precision.low, found.precision.high) == tuple(map(float, wilson(0.75, 4)))
    assert found.f1.low is not None
    assert found.f1.low < 0.75


def test_a_label_that_is_never_decided_has_no_precision() -> None:
    found = at_threshold(SCORES, TARGETS, 0.95)
    assert (found.precision.estimate, found.recall.estimate, found.f1.estimate) == (None, 0.0, 0.0)


def test_too_few_documents_give_counts_and_no_figures() -> None:
    found = at_threshold(SCORES[:9], TARGETS[:9], 0.6)
    assert (found.hits, found.f1.estimate, found.precision.estimate) == (3, None, None)


def test_another_threshold_tells_who_gets_the_label_and_who_loses_it() -> None:
    lower, higher = effect(SCORES, TARGETS, 0.6, 0.4), effect(SCORES, TARGETS, 0.6, 0.75)
    assert (lower.gained.tolist(), lower.lost.tolist()) == ([4, 5], [])
    assert (higher.gained.tolist(), higher.lost.tolist()) == ([], [2, 3])
    assert (lower.before.decided, lower.after.decided, higher.after.decided) == (4, 6, 2)


def test_a_score_that_is_the_threshold_gets_the_label_in_either_precision() -> None:
    scores = np.array([0.7], np.float32)
    assert decided_otherwise(scores, 0.9, 0.7)[0].tolist() == [0]
    assert decided_otherwise(scores, 0.9, float(np.float32(0.7)))[0].tolist() == [0]


@pytest.mark.parametrize(
    ("aim", "value", "threshold"),
    [
        (Aim.F1, 1.0, 0.55),
        (Aim.FBETA, 0.5, 0.75),
        (Aim.FBETA, 2.0, 0.25),
        (Aim.PRECISION, 0.75, 0.6),
        (Aim.PRECISION, 0.9, 0.8),
        (Aim.RECALL, 0.75, 0.6),
        (Aim.RECALL, 1.0, 0.3),
    ],
)
def test_a_threshold_serves_its_aim(aim: Aim, value: float, threshold: float) -> None:
    assert threshold_for(SCORES, TARGETS, aim, value) == pytest.approx(threshold)


def test_an_aim_that_cannot_be_reached_has_a_threshold_that_decides_hardly_anything() -> None:
    assert threshold_for(SCORES, 1 - TARGETS, Aim.PRECISION, 0.99) == UNREACHABLE
    assert threshold_for(SCORES, np.zeros(10, np.float32), Aim.RECALL, 0.5) == UNREACHABLE


def test_without_documents_there_is_no_curve_and_no_figure() -> None:
    nothing = np.zeros(0, np.float32)
    assert len(precision_recall(nothing, nothing).thresholds) == 0
    assert at_threshold(nothing, nothing, 0.5).f1.estimate is None
    assert threshold_for(nothing, nothing, Aim.F1) == UNREACHABLE
