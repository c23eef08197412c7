"""What it brings to leave documents undecided where a model is unsure: fewer answers, more of them right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.figures.evidence import wilson
from training.types import FloatArray

POINTS = 100  # of a curve that is drawn

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Abstention:
    """Documents with at least the confidence `threshold`: their share, and the share of them that is right.

    One row each threshold, from the lowest, which answers all, to the highest; (thresholds,) each. `low` and
    `high` are the 95 % interval of the accuracy.
    """

    threshold: FloatArray
    coverage: Values
    accuracy: Values
    low: Values
    high: Values


def abstention(
    confidence: FloatArray, right: NDArray[np.bool_], *, most: int = POINTS, fewest: int = 1
) -> Abstention:
    """Return coverage and accuracy by confidence and whether the answer was right, (documents,) each.

    Every distinct confidence that answers at least `fewest` is a threshold; of more than `most` some are left
    out, evenly by coverage, and both ends stay (the risk-coverage curve of El-Yaniv and Wiener, 2010).
    """
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    last = np.flatnonzero(np.append(np.diff(ordered) != 0, True)[: len(ordered)])
    last = last[last + 1 >= fewest]
    if len(last) > most:
        last = last[np.unique(np.linspace(0, len(last) - 1, most).round().astype(np.int64))]
    last = last[::-1]
    answered = (last + 1).astype(np.float64)
    accuracy = np.cumsum(right[order], dtype=np.float64)[last] / answered
    low, high = wilson(accuracy, answered)
    return Abstention(ordered[last], answered / max(len(confidence), 1), accuracy, low, high)


def abstention_at(confidence: FloatArray, right: NDArray[np.bool_], threshold: float) -> Abstention:
    """Return the one row of a threshold, which may lie between two confidences.

    Where it answers nothing the accuracy is NaN, and its interval 0 to 1.
    """
    answered = np.asarray(confidence, np.float32) >= np.float32(threshold)
    number = int(answered.sum())
    accuracy = np.array([right[answered].mean() if number else np.nan])
    low, high = wilson(np.nan_to_num(accuracy), float(number))
    coverage = np.array([number / max(len(confidence), 1)])
    return Abstention(np.array([threshold], np.float32), coverage, accuracy, low, high)


def threshold_for_accuracy(
    confidence: FloatArray, right: NDArray[np.bool_], goal: float, *, fewest: int = 1
) -> float | None:
    """Return the lowest threshold with `fewest` answers that are right at least so often; None for none."""
    curve = abstention(confidence, right, most=max(len(confidence), 1), fewest=fewest)
    enough = np.flatnonzero(curve.accuracy >= goal)
    return float(curve.threshold[enough[0]]) if len(enough) else None
