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
# How much the expected cut counts: of a label without positives, of one with so many that they hardly matter,
# and the positives that are half way. Chosen on NLU++, CEDR and a TF-IDF model of 3,000 texts of GoEmotions.
_EXPECTED_OF_NONE, _EXPECTED_OF_MANY, _HALF_WAY = 0.6, 0.3, 10.0


def tune(
    scores: FloatArray, targets: FloatArray, objective: Objective = Objective.F1, value: float = 1.0
) -> FloatArray:
    """Return the threshold (labels,) of each label that suits `objective` best, by calibrated scores.

    It lies between two, the nearer to the first the more positives a label has: the best one on validation
    documents, and the one that is to be expected if each score is right as often as it says, which needs no
    positives. F1 and F-beta (`value` is beta): the first is mixed with the best one of all labels together,
    so that three lucky documents do not set a threshold. Precision (`value` is the target): each is the
    smallest that reaches it, the highest score where none promises it, and `UNREACHABLE` where none reaches
    it on the documents or nothing is positive.
    """
    if not len(scores):
        return np.full(scores.shape[1], DEFAULT, np.float32)
    true = targets > 0
    positives = true.sum(axis=0)
    if objective is Objective.PRECISION:
        seen = np.array([_precise_cut(own, hits, value) for own, hits in zip(scores.T, true.T, strict=True)])
        promised = np.array([_precise_cut(own, own, value) for own in scores.T])
        expected = np.minimum(promised, scores.max(axis=0))
    else:
        beta = 1.0 if objective is Objective.F1 else value
        seen = _shrunk_cuts(scores, true, beta)
        expected = np.array([expected_cut(own, beta) for own in scores.T])
    step = _HALF_WAY / (positives + _HALF_WAY)
    share = _EXPECTED_OF_MANY + (_EXPECTED_OF_NONE - _EXPECTED_OF_MANY) * step
    mixed = _between(seen, expected, share)
    return np.where(seen >= UNREACHABLE, UNREACHABLE, mixed).astype(np.float32)


def expected_cut(scores: FloatArray, beta: float = 1.0) -> float:
    """Return the cut of the best F-beta that calibrated scores promise: that F over 1 + beta^2.

    A document is worth deciding where its score is above this (Lipton et al., 2014; half of the best F1).
    """
    _at, hits, decided = cuts(scores, scores)
    weight = beta * beta
    return float(((1 + weight) * hits / (decided + weight * hits[-1])).max() / (1 + weight))


def _precise_cut(scores: FloatArray, hits_of: FloatArray | Decisions, wanted: float) -> float:
    at, hits, decided = cuts(scores, hits_of)
    enough = np.flatnonzero((hits / decided >= wanted) & (hits > 0))
    return float(at[enough[-1]]) if len(enough) else UNREACHABLE


def _shrunk_cuts(scores: FloatArray, true: Decisions, beta: float) -> NDArray[np.float64]:
    """Return the best cut of each label, the fewer its positives the nearer to the pooled one."""
    positives = true.sum(axis=0)
    pooled = best_cut(scores.ravel(), true.ravel(), beta) if true.any() else DEFAULT
    own = np.full(scores.shape[1], pooled)
    for j in np.flatnonzero(positives):
        own[j] = best_cut(scores[:, j], true[:, j], beta)
    return _between(own, np.full(len(own), pooled), _PRIOR_POSITIVES / (positives + _PRIOR_POSITIVES))


def _between(
    first: NDArray[np.float64], second: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mix cuts by their logits; `share` is that of the second."""
    logits = (1 - share) * _logit(first) + share * _logit(second)
    return np.asarray(1 / (1 + np.exp(-logits)))


def cuts(
    scores: FloatArray, true: FloatArray | Decisions
) -> tuple[FloatArray, NDArray[np.float64], NDArray[np.float64]]:
    """Return the distinct scores, descending, and the hits and decisions when each is the threshold.

    `true` may be probabilities; then hits are those to be expected.
    """
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


def _logit(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.clip(shares, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(bounded / (1 - bounded)))
