from __future__ import annotations

import numpy as np
import pytest

from training.figures.evidence import wilson
from training.figures.shares import label_shares


def world(seed: int, texts: int = 8_000, accuracy: float = 0.75) -> tuple[np.ndarray, np.ndarray]:
    """Return what texts are and what a model says of them, which favours the first label."""
    rng = np.random.default_rng(seed)
    true = rng.choice(4, texts, p=(0.5, 0.3, 0.17, 0.03))
    wrong = rng.choice(4, texts, p=(0.7, 0.1, 0.1, 0.1))
    said = np.where(rng.random(texts) < accuracy, true, wrong)
    return np.eye(4)[true], np.eye(4)[said]


def test_the_interval_keeps_its_promise_and_is_narrower_than_the_holdout_alone() -> None:
    inside, widths = [], []
    for seed in range(200):
        true, said = world(seed)
        found = label_shares(true[:300], said[:300], said[300:])
        inside.append((found.low <= true.mean(axis=0)) & (true.mean(axis=0) <= found.high))
        widths.append((found.high - found.low) / (found.alone_high - found.alone_low))
    assert 0.92 <= np.mean(inside) <= 0.98
    assert np.mean(widths) < 0.85
    assert np.max(widths) <= 1.02


def test_mistakes_of_the_model_are_not_counted() -> None:
    true, said = world(0, texts=60_000)
    found = label_shares(true[:2_000], said[:2_000], said[2_000:])
    naive = said.mean(axis=0)
    truth = true.mean(axis=0)
    assert abs(naive - truth)[0] > 0.04
    assert abs(found.share - truth)[0] < 0.02


def test_a_model_that_is_always_right_says_the_share_of_the_pool() -> None:
    true, _ = world(0)
    found = label_shares(true[:1_000], true[:1_000], true[1_000:])
    assert found.share == pytest.approx(true[1_000:].mean(axis=0), abs=0.01)
    assert (found.trust > 0.8).all()


def test_a_model_that_knows_nothing_leaves_the_holdout_alone() -> None:
    true, _ = world(0)
    said = np.random.default_rng(1).permutation(true)
    found = label_shares(true[:300], said[:300], said[300:])
    assert (found.high - found.low <= found.alone_high - found.alone_low + 1e-12).all()
    assert (found.trust < 0.2).all()


def test_without_a_pool_it_is_the_interval_of_the_holdout() -> None:
    true, said = world(0)
    found = label_shares(true[:50], said[:50], said[:0])
    low, high = wilson(true[:50].mean(axis=0), 50)
    assert found.low == pytest.approx(low)
    assert found.high == pytest.approx(high)


def test_a_label_that_the_holdout_does_not_have_keeps_an_interval() -> None:
    true, said = np.eye(2)[np.zeros(40, int)], np.eye(2)[np.zeros(40, int)]
    found = label_shares(true, said, np.eye(2)[np.array([0] * 990 + [1] * 10)])
    assert found.low[1] == 0.0
    assert found.high[1] > 0.02


def test_without_a_holdout_nothing_is_known() -> None:
    _, said = world(0)
    found = label_shares(said[:0], said[:0], said)
    assert np.isnan(found.share).all()
    assert (found.low.tolist(), found.high.tolist()) == ([0.0] * 4, [1.0] * 4)
