"""Finds the n-grams that speak most for or against a label, by what each adds to the label's score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.preprocess.places import Place, Span, TextParts
from training.types import FloatArray, NgramWeight, Task


def contributions(task: Task, values: FloatArray, rows: FloatArray, label: int) -> FloatArray:
    """Return what each feature adds to a label's logit (features,), of values (features,) and its weights.

    `rows` is (features, labels). A softmax does not change when all labels gain the same, so for single-label
    the mean over the labels is subtracted: what is left speaks for this label or against it.
    """
    own = rows[:, label] - (rows.mean(axis=1) if task.exclusive else 0)
    return np.asarray(values * own, np.float32)


def by_place(parts: TextParts, added: FloatArray) -> FloatArray:
    """Return (places,): the sum of `added` (features,) over the features of each place."""
    owned = parts.owners >= 0
    sums = np.bincount(parts.owners[owned], added[owned], minlength=len(parts.places))
    return sums.astype(np.float32)


def weightiest(places: Sequence[Place], added: FloatArray, n: int) -> tuple[NgramWeight, ...]:
    """Return at most `n` n-grams by the size of what they add (places,), none overlapping a weightier one.

    "card", "ard" and "car" in one word mean the same, so only the weightiest of them is shown.
    """
    taken: list[Span] = []
    found: list[NgramWeight] = []
    for i in np.argsort(-np.abs(added), kind="stable"):
        if len(found) == n or not added[i]:
            break
        place = places[i]
        start, end = place.normalised
        if not any(start < other_end and other_start < end for other_start, other_end in taken):
            taken.append(place.normalised)
            found.append(NgramWeight(place.ngram, float(added[i]), place.span))
    return tuple(found)
