"""Chooses texts for several labels at once: the labels take turns."""

from __future__ import annotations

import numpy as np

from training.selection import PoolView, Selection
from training.strategies.uncertainty import checked_scores
from training.types import IntArray


def label_turns(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Draw labels; each takes the text nearest to its own threshold among those not taken yet.

    A label is drawn with the weight 1/sqrt(its positives + 1), so that rare ones come first without
    taking every turn. The selection's scores are the distances to the threshold.
    """
    scores = checked_scores(pool)
    wanted = min(n, len(scores))
    thresholds = pool.thresholds if pool.thresholds is not None else np.full(scores.shape[1], 0.5, np.float32)
    distance = np.abs(scores - thresholds)  # (documents, labels)
    weights = 1.0 / np.sqrt(pool.label_counts.astype(np.float64) + 1.0)
    turns = rng.choice(len(weights), size=wanted, p=weights / weights.sum()).tolist()
    nearest: dict[int, IntArray] = {}
    for label in set(turns):
        own = distance[:, label]
        # Of the `wanted` nearest rows one is always free, because the other turns take at most one fewer.
        rows = np.argpartition(own, wanted - 1)[:wanted] if wanted < len(own) else np.arange(len(own))
        nearest[label] = rows[np.argsort(own[rows], kind="stable")]
    cursor = dict.fromkeys(nearest, 0)
    picked: dict[int, float] = {}
    for label in turns:
        order = nearest[label]
        while cursor[label] < len(order) and int(order[cursor[label]]) in picked:
            cursor[label] += 1
        if cursor[label] < len(order):
            row = int(order[cursor[label]])
            picked[row] = float(distance[row, label])
    return Selection(np.array(list(picked), np.int64), np.array(list(picked.values()), np.float32))
