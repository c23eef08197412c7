"""A linear support vector machine, one label against the rest, whose margins become probabilities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from training.families.shared.heads import Head, activate
from training.splits import assign_folds
from training.types import Dataset, DocumentTask, FloatArray, IntArray

UNSEEN = -1.0  # the margin that the squared hinge gives to a label without any example
_FOLDS = 3
_ENOUGH_FOR_ONE_FOLD = 1_000  # documents of one fold are enough to fit a slope and few shifts with a prior


def squared_hinge(logits: FloatArray, targets: FloatArray, mass: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return max(0, 1 - side * margin)^2 of each cell and its slope by the margin, both (documents, labels).

    Squared, the cost is smooth enough for L-BFGS (Fan et al., LIBLINEAR, 2008).
    """
    sides = 2 * targets - 1
    slack = np.maximum(1 - sides * logits, 0)
    return slack * slack, -2 * sides * slack


def folds_to_score(dataset: Dataset, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the documents to learn from and those to score, as far as the dataset can be folded.

    Every fold costs one more fit, so of many documents one fold has to do.
    """
    if len(dataset) < 2 * _FOLDS:
        return
    folds = assign_folds(dataset, _FOLDS, np.random.default_rng(seed))
    least = 2 if dataset.schema.task.exclusive else 1  # labels that a head can be fitted to
    filled = np.unique(folds)  # near duplicates share a fold, so there may be one only
    for fold in filled[:1] if len(dataset) >= _FOLDS * _ENOUGH_FOR_ONE_FOLD else filled:
        learn, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if len(held) and int(dataset.targets[learn].any(axis=0).sum()) >= least:
            yield learn, held


def calibrated(task: DocumentTask, head: Head, margins: FloatArray, targets: FloatArray) -> Head:
    """Return the head whose activated logits are probabilities, learned from margins out of fold.

    There is one slope for all margins, and for multi-label one shift for each label (Platt, 1999; Guo et al.,
    2017). Both go into weights and bias, so the graph stays that of any linear head. Without margins, as
    there are none with too few documents for folds, the head is returned as it is.
    """
    learned = task.calibrate(activate(task, margins), targets)
    slope = np.float32(1 / float(learned.get("temperature", 1.0)))
    shifts = np.array(learned.get("shifts", 0.0), np.float32)
    return Head(head.weights * slope, head.bias * slope + shifts)
