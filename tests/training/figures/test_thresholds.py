from __future__ import annotations

import numpy as np
import pytest

from training.figures.evaluate import macro_f1
from training.figures.thresholds import DEFAULT, UNREACHABLE, best_cut, expected_cut, tune
from training.tasks import MULTI, SINGLE
from training.types import FloatArray, Objective


def noisy_scores(seed: int = 0, documents: int = 600) -> tuple[FloatArray, FloatArray]:
    """Scores of three labels whose right thresholds are near 0.1, 0.3 and 0.8."""
    rng = np.random.default_rng(seed)
    truth = rng.random((documents, 3)) < (0.1, 0.3, 0.5)
    centres = np.where(truth, (0.2, 0.5, 0.9), (0.04, 0.15, 0.7))
    scores = np.clip(centres + rng.normal(scale=0.04, size=centres.shape), 0, 1)
    return scores.astype(np.float32), truth.astype(np.float32)


def test_tuned_thresholds_beat_one_half_on_unseen_documents() -> None:
    cuts = tune(*noisy_scores())
    scores, targets = noisy_scores(seed=1)
    tuned, half = macro_f1(targets, MULTI.decide(scores, cuts)), macro_f1(targets, scores >= 0.5)
    assert tuned is not None
    assert half is not None
    assert tuned > half + 0.2


def test_a_threshold_keeps_a_margin_below_the_last_document_it_takes() -> None:
    scores = np.array([[0.9], [0.8], [0.2], [0.1]], np.float32)
    targets = np.array([[1], [1], [0], [0]], np.float32)
    assert 0.4 < tune(scores, targets)[0] < 0.6


def test_a_larger_beta_never_raises_a_threshold() -> None:
    scores, targets = noisy_scores()
    low, high = (tune(scores, targets, Objective.FBETA, beta) for beta in (4.0, 0.25))
    assert (low <= high).all()
    assert (low < high).any()


def test_beta_one_is_f1() -> None:
    scores, targets = noisy_scores()
    np.testing.assert_array_equal(tune(scores, targets), tune(scores, targets, Objective.FBETA, 1.0))


def calibrated(rng: np.random.Generator, documents: int, *tops: float) -> tuple[FloatArray, FloatArray]:
    """Scores of each label, evenly from 0 to its top, that are right as often as they say."""
    scores = rng.uniform(0, tops, (documents, len(tops)))
    return scores.astype(np.float32), (rng.random(scores.shape) < scores).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_a_precision_that_scores_promise_is_reached_on_unseen_documents(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, targets = calibrated(rng, 60, 1.0, 1.0, 1.0)
    unseen, truth = calibrated(rng, 20_000, 1.0, 1.0, 1.0)
    decided = MULTI.decide(unseen, tune(scores, targets, Objective.PRECISION, 0.8))
    precision = (decided & (truth > 0)).sum(axis=0) / decided.sum(axis=0)
    assert precision.mean() == pytest.approx(0.8, abs=0.06)


def test_a_precision_takes_more_documents_the_lower_it_is() -> None:
    scores, targets = noisy_scores()
    low, high = (tune(scores, targets, Objective.PRECISION, value) for value in (0.3, 0.95))
    assert (low <= high).all()
    assert (low < high).any()


def test_a_precision_that_no_score_promises_still_takes_what_reached_it() -> None:
    scores = np.array([[0.3], [0.2], [0.1]], np.float32)
    targets = np.array([[1], [0], [0]], np.float32)
    assert tune(scores, targets, Objective.PRECISION, 0.9)[0] == pytest.approx(0.3)


def test_the_expected_cut_is_half_of_the_best_f1_that_scores_promise() -> None:
    scores = np.array([0.9, 0.6, 0.1], np.float32)
    best = 2 * (0.9 + 0.6) / (2 + 1.6)
    assert expected_cut(scores) == pytest.approx(best / 2, abs=1e-6)
    assert expected_cut(scores, beta=2.0) == pytest.approx(1.5 / (2 + 4 * 1.6), abs=1e-6)


def test_a_label_without_a_positive_is_decided_where_its_scores_promise_it() -> None:
    """Calibrated scores tell where a rare label has its cut; the pooled one of common labels does not."""
    scores, targets = calibrated(np.random.default_rng(0), 400, 1.0, 1.0, 0.2)
    targets[:, 2] = 0
    pooled = best_cut(scores.ravel(), targets.ravel() > 0, 1.0)
    assert tune(scores, targets)[2] < 0.2 < pooled


def test_an_unreachable_precision_makes_a_label_rare_instead_of_wrong() -> None:
    scores = np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)
    targets = np.array([[0, 0], [1, 0]], np.float32)
    assert tune(scores, targets, Objective.PRECISION, 0.9).tolist() == [UNREACHABLE, UNREACHABLE]


def test_equal_scores_are_decided_together() -> None:
    scores = np.full((4, 1), 0.3, np.float32)
    targets = np.array([[1], [1], [1], [0]], np.float32)
    assert MULTI.decide(scores, tune(scores, targets)).all()


def test_a_label_that_is_never_scored_is_never_decided() -> None:
    scores, targets = noisy_scores()
    with_silent = np.concatenate([scores, np.zeros((len(scores), 1), np.float32)], axis=1)
    cut = tune(with_silent, np.concatenate([targets, np.zeros((len(scores), 1), np.float32)], axis=1))
    assert 0 < cut[3] < 0.9


@pytest.mark.parametrize(("positives", "trusted"), [(1, False), (3, False), (40, True)])
def test_a_label_trusts_its_own_curve_when_it_has_positives_enough(positives: int, trusted: bool) -> None:
    # The rare label's own cut is 0.85; the other labels' best cut, and so nearly the pooled one, is 0.25.
    low, high = np.full((400, 3), 0.1, np.float32), np.full((400, 3), 0.4, np.float32)
    targets = np.zeros((400, 3), np.float32)
    targets[:200, 1:] = 1
    targets[:positives, 0] = 1
    scores = np.where(targets > 0, high, low)
    scores[:positives, 0] = 0.9
    scores[positives : positives + 20, 0] = 0.8
    scores[positives + 20 :, 0] = 0.1
    cut = float(tune(scores, targets)[0])
    assert (abs(cut - 0.85) < abs(cut - 0.25)) is trusted


def test_without_validation_scores_the_default_stands() -> None:
    nothing = np.zeros((0, 2), np.float32)
    assert tune(nothing, nothing).tolist() == [DEFAULT, DEFAULT]


def test_single_label_takes_the_best_and_the_first_of_equals() -> None:
    scores = np.array([[0.2, 0.8], [0.5, 0.5]], np.float32)
    decisions = SINGLE.decide(scores, np.zeros(2, np.float32))
    assert decisions.tolist() == [[False, True], [True, False]]


def test_a_score_at_its_threshold_is_decided() -> None:
    cut = np.array([0.3], np.float32)
    assert MULTI.decide(cut[None, :], np.array([float(cut[0])], np.float32)).all()
