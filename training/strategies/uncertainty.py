"""Uncertainty sampling for single-label tasks, by modAL's measures over stored scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from modAL.uncertainty import entropy_sampling, margin_sampling, uncertainty_sampling

from training.selection import PoolView, Selection
from training.types import FloatArray, IntArray, TrainingError


class StoredScores:
    """Looks like a classifier to modAL: its "data" are row numbers, its predictions are stored scores."""

    def __init__(self, scores: FloatArray) -> None:
        self._scores = scores

    def predict_proba(self, rows: IntArray) -> FloatArray:
        """Return the stored scores of `rows`."""
        return self._scores[rows]


def checked_scores(pool: PoolView) -> FloatArray:
    """Return the pool's scores (documents, labels).

    Raises `TrainingError` for scores that are missing, not finite, or the same for every document: an
    order made of those would be a random one that looks like a choice.
    """
    scores = pool.scores
    if scores is None or scores.size == 0:
        raise TrainingError("There are no scores to choose by. Train a model first, or choose by k-means.")
    if not np.isfinite(scores).all():
        raise TrainingError("Some scores are not numbers. The model that gave them cannot choose a batch.")
    if len(scores) > 1 and bool((scores == scores[0]).all()):
        raise TrainingError("Every document has the same scores: the model has learned nothing yet.")
    return scores


def margin(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose where the two best labels are nearest to each other (Scheffer et al., 2001)."""
    return _by_modal(margin_sampling, pool, n)


def entropy(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose where the labels' distribution is widest (Dagan and Engelson, 1995)."""
    return _by_modal(entropy_sampling, pool, n)


def least_confidence(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose where the best label is least probable (Lewis and Gale, 1994)."""
    return _by_modal(uncertainty_sampling, pool, n)


def _by_modal(measure: Callable[..., tuple[IntArray, FloatArray]], pool: PoolView, n: int) -> Selection:
    scores = checked_scores(pool)
    wanted = min(n, len(scores))
    rows = np.arange(len(scores))
    chosen, values = measure(StoredScores(scores), rows, n_instances=wanted)
    values = np.abs(np.asarray(values, np.float32))
    # NB: modAL returns the chosen rows in no order; margins are best when small, the others when large.
    order = np.argsort(values if measure is margin_sampling else -values, kind="stable")
    return Selection(np.asarray(chosen, np.int64)[order], values[order])
