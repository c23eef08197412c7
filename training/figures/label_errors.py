"""Which labels are probably wrong, by what models say that did not learn the very document."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.types import FloatArray

WORST = 0.1  # chosen on BANKING77 and SMS spam with 5 % planted errors; docs/benchmarks.md has what it finds


def suspects(targets: FloatArray, scores: FloatArray) -> NDArray[np.bool_]:
    """Return whether each document (documents,) probably has a wrong label, where one label is right.

    `targets` and `scores` are (documents, labels); a score has to come from a model that did not learn the
    document. Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
    Dataset Labels", JAIR 2021): a label is said with confidence where its score reaches the mean score of the
    documents that have it. A document is suspected where the surest label that is said so is not its own,
    and its `quality` is under `WORST`. Tried with a yes or no for each of several labels, one in five or
    fewer of those suspected was wrong, so there is no rule for them.
    """
    if not targets.size:
        return np.zeros(len(targets), bool)
    given = targets > 0
    count = given.sum(axis=0)
    bars = np.where(count > 0, (scores * given).sum(axis=0) / np.maximum(count, 1), np.inf)  # (labels,)
    said = np.where(scores >= bars, scores, -1.0)  # (documents, labels)
    surest, rows = said.argmax(axis=1), np.arange(len(given))
    is_off = (said[rows, surest] >= 0) & ~given[rows, surest]
    return np.asarray(is_off & (quality(targets, scores) < WORST))


def quality(targets: FloatArray, scores: FloatArray) -> FloatArray:
    """Return how far (documents,) the scores speak for the label given, from 0 to 1.

    The mean of the score of the given label and of its margin over the best other one, moved to 0 to 1: the
    two label quality scores of Kuan and Mueller ("Model-agnostic label quality scoring to detect real-world
    label errors", 2022) together.
    """
    own = np.where(targets > 0, scores, 0).max(axis=1, initial=0)
    other = np.where(targets > 0, 0, scores).max(axis=1, initial=0)
    return np.asarray((own + (own - other + 1) / 2) / 2, np.float32)
