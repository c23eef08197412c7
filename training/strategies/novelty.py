"""Chooses texts unlike all that have a label, from dense places first: what no model can be unsure of."""

from __future__ import annotations

import numpy as np

from training.encoders.neighbours import nearest_to
from training.selection import PoolView
from training.types import IntArray

LABELS = 300  # with fewer all is new to a model, and what it is unsure of teaches it more
NEW = 0.25  # of cosine, by which neighbours have to be nearer than any labelled text
SAMPLE = 5_000  # pool texts that are looked at
NEIGHBOURS = 10  # by which a place is dense
_CELLS = (
    50_000_000  # similarities to labelled texts that are computed; with more labels fewer texts are looked at
)
_FEWEST = 500


def can_tell(pool: PoolView) -> bool:
    """Tell whether there are vectors of the pool, and of enough labelled texts to compare them with."""
    return pool.vectors is not None and pool.labelled is not None and len(pool.labelled) >= LABELS


def unlike_labelled(pool: PoolView, n: int, rng: np.random.Generator, *, taken: IntArray) -> IntArray:
    """Return the rows (at most n,) of pool texts that stand for something new, the most wanted first.

    A text is the more wanted the nearer its own neighbours are and the farther the nearest text that has a
    label, or is about to get one: the rows `taken` (rows,), and those chosen before it. Both are cosines, and
    the first less the second counts, as the farthest texts alone are oddities. Where it is below `NEW`
    nothing is new any more, and fewer rows are returned; none before `can_tell`.
    """
    vectors, labelled = pool.vectors, pool.labelled
    rest = np.setdiff1d(np.arange(pool.size), taken)
    if vectors is None or labelled is None or not can_tell(pool) or not len(rest) or n < 1:
        return np.zeros(0, np.int64)
    size = min(SAMPLE, max(_FEWEST, _CELLS // len(labelled)))
    rows = rest if len(rest) <= size else np.sort(rng.choice(rest, size, replace=False))
    looked_at = vectors[rows]
    near = nearest_to(looked_at, looked_at, NEIGHBOURS + 1).similarities[:, 1:]  # the first is itself
    density = near.mean(axis=1) if near.shape[1] else np.zeros(len(rows), np.float32)
    known = nearest_to(looked_at, labelled, 1).similarities[:, 0]
    if len(taken):
        known = np.maximum(known, nearest_to(looked_at, vectors[taken], 1).similarities[:, 0])
    chosen: list[int] = []
    for _ in range(min(n, len(rows))):
        wanted = density - known
        wanted[chosen] = -np.inf
        best = int(wanted.argmax())
        if wanted[best] < NEW:
            break
        chosen.append(best)
        known = np.maximum(known, looked_at @ looked_at[best])
    return rows[chosen]
