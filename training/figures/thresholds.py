"""Tunes the threshold of each label, for tasks that decide on labels one by one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.types import FloatArray, Objective

Decisions = NDArray[np.bool_]
DEFAULT = 0.5
UNREACHABLE = 1.0
"""The threshold of a label that never reaches its target precision: it is hardly ever decided."""

_PRIOR_POSITIVES = 4.0  # positives with which a label's own curve counts as much as the pooled one


def tune(
    scores: FloatArray, targets: FloatArray, objective: Objective = Objective.F1, value: float = 1.0
) -> FloatArray:
    """Return the threshold (labels,) of each label that suits `objective` best on validation scores.

    F1 and F-beta (`value` is beta): the fewer positives a label has, the more its curve is mixed with the
    pooled one of all labels, so that three lucky documents do not set a threshold. Precision (`value` is the
    target): the smallest threshold that reaches it, `UNREACHABLE` where none does or nothing is positive.
    """
    if not len(scores):
        return np.full(scores.shape[1], DEFAULT, np.float32)
    true = targets > 0
    if objective is Objective.PRECISION:
        tuned = np.full(scores.shape[1], UNREACHABLE)
        for j in np.arange(scores.shape[1]):
            at, hits, decided = cuts(scores[:, j], true[:, j])
            enough = np.flatnonzero((hits / decided >= value) & (hits > 0))
            if len(enough):
                tuned[j] = at[enough[-1]]
        return tuned.astype(np.float32)
    beta = 1.0 if objective is Objective.F1 else value
    positives = true.sum(axis=0)
    pooled = best_cut(scores.ravel(), true.ravel(), beta) if true.any() else DEFAULT
    tuned = np.full(scores.shape[1], pooled)
    for j in np.flatnonzero(positives):
        own = best_cut(scores[:, j], true[:, j], beta)
        trust = positives[j] / (positives[j] + _PRIOR_POSITIVES)
        logit = trust * _logit(own) + (1 - trust) * _logit(pooled)
        tuned[j] = float(1 / (1 + np.exp(-logit)))
    return tuned.astype(np.float32)


def cuts(scores: FloatArray, true: Decisions) -> tuple[FloatArray, NDArray[np.float64], NDArray[np.float64]]:
    """Return the distinct scores, descending, and the hits and decisions when each is the threshold."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    ends = np.append(np.diff(ordered) != 0, True)[: len(ordered)]
    last = np.flatnonzero(ends)  # equal scores are decided alike
    hits = np.cumsum(true[order])[last]
    return ordered[last], hits.astype(np.float64), (last + 1).astype(np.float64)


def best_cut(scores: FloatArray, true: Decisions, beta: float) -> float:
    """Return the cut of the best F-beta, half-way to the next lower score so that it has a margin."""
    at, hits, decided = cuts(scores, true)
    weight = beta * beta
    f = (1 + weight) * hits / (decided + weight * true.sum())
    best = int(f.argmax())
    below = at[best + 1] if best + 1 < len(at) else at[best]
    return float(at[best] + below) / 2


def _logit(share: float) -> float:
    bounded = min(max(share, 1e-6), 1 - 1e-6)
    return float(np.log(bounded / (1 - bounded)))
