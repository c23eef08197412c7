"""Chooses texts for several labels at once: the labels take turns."""

from __future__ import annotations

import numpy as np

from training.strategies.uncertainty import checked_scores
from training.types import FloatArray, IntArray, PoolView, Selection


def label_turns(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Draw labels; each takes the text nearest to its own threshold among those not taken yet.

    A label is drawn with the weight 1/sqrt(its positives + 1), so that rare ones come first without
    taking every turn. The selection's scores are the distances to the threshold.
    """
    scores = checked_scores(pool)
    wanted = min(n, len(scores))
    thresholds = pool.thresholds if pool.thresholds is not None else np.full(scores.shape[1], 0.5, np.float32)
    distance = np.abs(scores - thresholds)  # (documents, labels)
    turns = _draw_labels(pool.label_counts, wanted, rng)
    nearest = {label: _nearest(distance[:, label], wanted) for label in set(turns.tolist())}
    cursor = dict.fromkeys(nearest, 0)
    picked: dict[int, float] = {}
    for label in turns.tolist():
        order = nearest[label]
        while cursor[label] < len(order) and int(order[cursor[label]]) in picked:
            cursor[label] += 1
        if cursor[label] < len(order):
            row = int(order[cursor[label]])
            picked[row] = float(distance[row, label])
    return Selection(np.array(list(picked), np.int64), np.array(list(picked.values()), np.float32))


def _draw_labels(counts: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    weights = 1.0 / np.sqrt(counts.astype(np.float64) + 1.0)
    drawn: IntArray = rng.choice(len(counts), size=n, p=weights / weights.sum()).astype(np.int64)
    return drawn


def _nearest(distance: FloatArray, n: int) -> IntArray:
    """Return the n rows nearest to a threshold: one is always free, as the others take at most n - 1."""
    rows = np.argpartition(distance, n - 1)[:n] if n < len(distance) else np.arange(len(distance))
    return rows[np.argsort(distance[rows], kind="stable")].astype(np.int64)
