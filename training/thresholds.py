"""From scores to decisions: the threshold of each label, and how it is tuned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.types import FloatArray, Objective, Task

Decisions = NDArray[np.bool_]


def decide(task: Task, scores: FloatArray, thresholds: FloatArray) -> Decisions:
    """Return decisions (documents, labels): the best label for single, every label at or over its threshold
    for multi. Of equal scores the first label in schema order wins.
    """
    if task is Task.MULTI:
        return np.asarray(scores >= np.asarray(thresholds, np.float32))
    decisions = np.zeros(scores.shape, dtype=bool)
    if scores.size:
        decisions[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return decisions
