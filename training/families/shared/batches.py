"""Batches of texts of similar length: little padding, and each text once in an epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.types import IntArray

# Texts of 50 batches are sorted together: enough for little padding, few enough that batches stay random.
_SORTED_TOGETHER = 50

Window = tuple[int, ...]


def shuffled_batches(lengths: IntArray, size: int, rng: np.random.Generator) -> list[IntArray]:
    """Return the rows of each batch of one epoch: random, but each batch of texts of similar length.

    Rows are shuffled, sorted by length within stretches of 50 batches, cut, and the batches shuffled.
    """
    order = rng.permutation(len(lengths))
    batches: list[IntArray] = []
    for start in range(0, len(order), size * _SORTED_TOGETHER):
        stretch = order[start : start + size * _SORTED_TOGETHER]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        batches += [stretch[i : i + size] for i in range(0, len(stretch), size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def sorted_batches(lengths: IntArray, size: int) -> list[IntArray]:
    """Return the rows of each batch for prediction, sorted by length, to put the results back by."""
    order = np.argsort(lengths, kind="stable")
    return [order[i : i + size] for i in range(0, len(order), size)]


def pad(windows: Sequence[Window], padding: int) -> tuple[IntArray, IntArray]:
    """Return token ids and attention mask, both (windows, longest)."""
    longest = max(map(len, windows))
    ids = np.full((len(windows), longest), padding, np.int64)
    mask = np.zeros((len(windows), longest), np.int64)
    for i, window in enumerate(windows):
        ids[i, : len(window)] = window
        mask[i, : len(window)] = 1
    return ids, mask
