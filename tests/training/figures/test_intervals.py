"""The coverage that `bench/figures/coverage.py` measures at length, on a few seeded worlds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.figures import coverage
from training.figures import intervals
from training.tasks import MULTI, SINGLE
from training.types import Task


@pytest.mark.parametrize(("labels", "support"), [(3, 4), (10, 1), (30, 2)])
@pytest.mark.parametrize("task", [SINGLE, MULTI])
def test_intervals_hold_the_truth_at_small_counts(task: Task, labels: int, support: int) -> None:
    found = coverage.cell(task, labels, support, 0.95, worlds=range(40))
    assert found["macro"] >= 0.9
    assert found["label"] >= 0.9
    assert found["width"] > 0


def test_a_label_that_is_always_right_has_an_interval_below_one() -> None:
    counts = np.array([3.0, 30.0])
    low, high = intervals.of_labels(counts, counts, counts)
    assert high.tolist() == [1.0, 1.0]
    # 3 of 3 by Wilson's formula is 0.438, whose F1 is 2 * 0.438 / 1.438.
    assert low.tolist() == pytest.approx([0.6097, 0.9398], abs=1e-3)


def test_without_support_there_is_no_interval() -> None:
    nothing = np.zeros(3)
    assert intervals.of_macro(nothing, nothing, nothing, np.random.default_rng(0), exclusive=True) is None
