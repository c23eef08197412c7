"""When an encoder is tuned by itself on a project's labels, and for how long; what tunes it is not loaded."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import ArrayLike

from training.figures import calibration
from training.types import DocumentTask

TUNE_AT = (100, 300, 500, 1_000, 2_000, 5_000)
"""Labels at which it is tuned anew. What each brought stands in docs/benchmarks.md."""

MOST_STEPS = 64
"""Batches of a tuning that nobody asked for, so that it takes no more than minutes."""

_PACKAGES = ("torch", "transformers")

FEWEST_TEXTS = 2  # a label counts as known once it has so many: a pair that belongs together
FEWEST_LABELS = 2  # have to be known, because texts of a single label have nothing to be told from


def last_step(labels: int, steps: Sequence[int] = TUNE_AT) -> int:
    """Return the largest of `steps` that a number of labels has reached, 0 for none."""
    return max((step for step in steps if step <= labels), default=0)


def known_labels(texts: ArrayLike) -> int:
    """Return how many labels are known, by the number of texts of each, (labels,)."""
    return int((np.asarray(texts) >= FEWEST_TEXTS).sum())


def can_be_tuned(texts: ArrayLike) -> bool:
    """Tell whether the texts of each label, (labels,), are enough to tune an encoder on."""
    return known_labels(texts) >= FEWEST_LABELS


def can_be_calibrated(task: DocumentTask, documents: int) -> bool:
    """Tell whether so many documents that an encoder has not seen make confidences of scores over it."""
    return calibration.holds(task, documents)


def is_installed() -> bool:
    """Tell whether the packages are there that a tuning needs, without loading them."""
    return all(find_spec(package) is not None for package in _PACKAGES)
