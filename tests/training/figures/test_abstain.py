from __future__ import annotations

import numpy as np
import pytest

from training.figures.abstain import abstention, abstention_at, threshold_for_accuracy
from training.figures.evidence import wilson

CONFIDENCE = np.array([0.9, 0.8, 0.8, 0.5, 0.3], np.float32)
RIGHT = np.array([True, True, False, True, False])


def test_coverage_and_accuracy_of_every_confidence() -> None:
    curve = abstention(CONFIDENCE, RIGHT)
    assert curve.threshold.tolist() == pytest.approx([0.3, 0.5, 0.8, 0.9])
    assert curve.coverage.tolist() == [1.0, 0.8, 0.6, 0.2]
    assert curve.accuracy.tolist() == pytest.approx([3 / 5, 3 / 4, 2 / 3, 1.0])
    low, high = wilson(curve.accuracy, np.array([5, 4, 3, 1]))
    assert (curve.low.tolist(), curve.high.tolist()) == (low.tolist(), high.tolist())


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    confidence = np.random.default_rng(0).random(5_000).astype(np.float32)
    curve = abstention(confidence, confidence > 0.5, most=20)
    assert len(curve.threshold) == 20
    assert (curve.threshold[0], curve.threshold[-1]) == (confidence.min(), confidence.max())
    assert np.diff(curve.coverage).max() < 0
    assert np.abs(np.diff(curve.coverage)).max() < 0.06


def test_one_threshold_counts_those_at_it_and_over_it() -> None:
    one = abstention_at(CONFIDENCE, RIGHT, 0.8)
    assert (one.coverage[0], one.accuracy[0]) == (0.6, pytest.approx(2 / 3))
    assert abstention_at(CONFIDENCE, RIGHT, 0.81).coverage[0] == 0.2


def test_where_all_abstain_there_is_no_accuracy() -> None:
    one = abstention_at(CONFIDENCE, RIGHT, 0.95)
    assert np.isnan(one.accuracy[0])
    assert (one.coverage[0], one.low[0], one.high[0]) == pytest.approx((0.0, 0.0, 1.0))


def test_the_threshold_of_an_accuracy_answers_as_many_as_can_be() -> None:
    assert threshold_for_accuracy(CONFIDENCE, RIGHT, 0.75) == pytest.approx(0.5)
    assert threshold_for_accuracy(CONFIDENCE, RIGHT, 0.5) == pytest.approx(0.3)
    assert threshold_for_accuracy(CONFIDENCE, ~RIGHT, 0.9) is None


def test_nothing_to_answer_is_an_empty_curve() -> None:
    curve = abstention(CONFIDENCE[:0], RIGHT[:0])
    assert len(curve.threshold) == len(curve.coverage) == len(curve.low) == 0
    assert threshold_for_accuracy(CONFIDENCE[:0], RIGHT[:0], 0.5) is None
