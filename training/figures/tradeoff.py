"""What the threshold of one label gains and costs: its curve, and what another threshold would change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from training.figures import intervals
from training.figures.evidence import Figure, wilson
from training.figures.thresholds import UNREACHABLE, Decisions, best_cut, cuts
from training.types import FloatArray, IntArray

Values = NDArray[np.float64]


class Aim(StrEnum):
    """What a label's threshold can be asked for; the two last name a share that has to be reached."""

    F1 = "f1"
    FBETA = "fbeta"
    PRECISION = "precision"
    RECALL = "recall"


@dataclass(frozen=True, slots=True)
class PrecisionRecall:
    """Precision and recall of a label when each of its distinct scores is the threshold, the lowest first."""

    thresholds: FloatArray
    precision: Values
    recall: Values


@dataclass(frozen=True, slots=True)
class LabelAt:
    """A label's figures under a threshold: of `support` documents `hits` were found among `decided` ones."""

    threshold: float
    precision: Figure
    recall: Figure
    f1: Figure
    hits: int
    decided: int
    support: int


@dataclass(frozen=True, slots=True)
class ThresholdEffect:
    """A label under two thresholds, and the rows that get the label by the new one or lose it."""

    before: LabelAt
    after: LabelAt
    gained: IntArray
    lost: IntArray


def precision_recall(scores: FloatArray, targets: FloatArray) -> PrecisionRecall:
    """Return the curve of one label by its scores and targets of 0 and 1, (documents,) each.

    Without a document of the label recall is 1, as nothing is missed.
    """
    true = targets > 0
    at, hits, decided = cuts(scores, true)
    recall = hits / true.sum() if true.any() else np.ones(len(at))
    return PrecisionRecall(at[::-1], (hits / decided)[::-1], recall[::-1])


def threshold_for(scores: FloatArray, targets: FloatArray, aim: Aim, value: float = 1.0) -> float:
    """Return the threshold of one label that serves an aim best on documents it was not learned from.

    `value` is beta, or the share to be reached. Of thresholds that reach a precision it is the lowest, so
    that most documents are found, and of those that reach a recall the highest. `UNREACHABLE` where none
    does, and without a document of the label.
    """
    true = targets > 0
    if not true.any():
        return UNREACHABLE
    if aim in (Aim.F1, Aim.FBETA):
        return float(np.float32(best_cut(scores, true, 1.0 if aim is Aim.F1 else value)))
    at, hits, decided = cuts(scores, true)
    if aim is Aim.PRECISION:
        enough = np.flatnonzero((hits / decided >= value) & (hits > 0))[::-1]
    else:
        enough = np.flatnonzero(hits / true.sum() >= value)
    return float(at[enough[0]]) if len(enough) else UNREACHABLE


def at_threshold(scores: FloatArray, targets: FloatArray, threshold: float) -> LabelAt:
    """Return the figures of one label under a threshold, (documents,) each; too few documents give none."""
    true, said = targets > 0, _given(scores, threshold)
    hits, decided, support = (int(rows.sum()) for rows in (true & said, said, true))
    one = (np.array([float(number)]) for number in (hits, decided, support))
    f1_low, f1_high = intervals.of_labels(*one)
    f1 = 2 * hits / (decided + support) if support else None
    return LabelAt(
        threshold=threshold,
        precision=_share(hits, decided, len(true)),
        recall=_share(hits, support, len(true)),
        f1=Figure.of(f1, float(f1_low[0]), float(f1_high[0]), len(true)),
        hits=hits,
        decided=decided,
        support=support,
    )


def effect(scores: FloatArray, targets: FloatArray, old: float, new: float) -> ThresholdEffect:
    """Return what another threshold of one label changes on documents with known targets."""
    gained, lost = decided_otherwise(scores, old, new)
    before, after = (at_threshold(scores, targets, threshold) for threshold in (old, new))
    return ThresholdEffect(before, after, gained, lost)


def decided_otherwise(scores: FloatArray, old: float, new: float) -> tuple[IntArray, IntArray]:
    """Return the rows that get a label by its new threshold, and those that lose it, in the order of rows."""
    before, after = _given(scores, old), _given(scores, new)
    return np.flatnonzero(after & ~before), np.flatnonzero(before & ~after)


def _given(scores: FloatArray, threshold: float) -> Decisions:
    # NB: scores and stored thresholds are of single precision, and a score may be the threshold itself.
    return np.asarray(np.asarray(scores, np.float32) >= np.float32(threshold))


def _share(part: int, whole: int, documents: int) -> Figure:
    """Return a share with its interval; nothing of nothing is no figure."""
    low, high = wilson(part / whole if whole else 0.0, whole)
    return Figure.of(part / whole if whole else None, float(low), float(high), documents)
