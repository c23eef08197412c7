"""How much richer in spans labelled texts are than all."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.spans import WordScores
from training.tagging.prior import prior_shift


def pool_of(share: float, learned: float, words: int = 40_000) -> list[WordScores]:
    """What a model says of words of which `share` begin spans, where it learned from a share of `learned`."""
    rng = np.random.default_rng(0)
    sign = rng.normal(size=words) + 2.0 * (rng.random(words) < share)
    odds = np.exp(2.0 * sign - 2.0) * learned / (1 - learned)  # of two normal densities, two apart
    begins = odds / (1 + odds)
    logs = np.log(np.stack([1 - begins, begins * 0.999, begins * 0.001], axis=1))
    return [WordScores([(0, 1)] * len(part), part) for part in np.array_split(logs, 40)]


def test_what_a_strategy_sought_is_found_to_be_richer_than_all_texts() -> None:
    found = prior_shift(600, 10_000, pool_of(0.02, learned=0.06))
    everywhere = (600 + 0.02 * 40_000) / 50_000
    full = math.log(0.06 / 0.94) - math.log(everywhere / (1 - everywhere))
    assert 0.4 * full < found < 0.6 * full


def test_texts_that_are_like_the_pool_or_poorer_move_nothing() -> None:
    assert prior_shift(300, 10_000, pool_of(0.03, learned=0.03)) == pytest.approx(0.0, abs=0.1)
    assert prior_shift(200, 10_000, pool_of(0.06, learned=0.02)) == 0.0
    assert prior_shift(300, 10_000, []) == 0.0
    assert prior_shift(0, 10_000, pool_of(0.03, learned=0.03)) == 0.0
