"""How far people agree on words, beyond what they would by chance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from training.types import IntArray


def token_alpha(texts: Iterable[IntArray], labels: int) -> float | None:
    """Return Krippendorff's alpha of nominal values (Krippendorff, 2011), each word being a unit.

    Each text is the label (people, words) that each of several people gave each word, counted from 1, and 0
    for none. 1 is perfect, 0 what chance would bring. None where everybody gives every word the same.
    """
    together = np.zeros((1 + labels, 1 + labels))  # coincidences of two values
    for given in texts:
        counts = (given[..., None] == np.arange(1 + labels)).sum(axis=0).astype(np.float64)  # (words, values)
        together += (counts.T @ counts - np.diag(counts.sum(axis=0))) / (len(given) - 1)
    of_values = together.sum(axis=0)
    total = of_values.sum()
    by_chance = total**2 - (of_values**2).sum()
    if not by_chance:
        return None
    return float(1 - (total - 1) * (total - np.trace(together)) / by_chance)
