"""A confusion matrix that can be read with many labels: those that are taken for each other stand together.

NumPy only, as pages order what a version stored; tests compare it with SciPy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.figures.thresholds import Decisions
from training.types import IntArray

MOST_IN_BLOCK = 12  # labels; more names than that are not read beside each other

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConfusionBlock:
    """Labels that stand together in an order, from place `start` to before `end`, and their mistakes.

    `mistakes` are documents of one of them that were decided as another one of them.
    """

    start: int
    end: int
    mistakes: int


@dataclass(frozen=True, slots=True)
class LabelPair:
    """Two labels by their columns and how many documents they share in some way."""

    one: int
    other: int
    documents: int


@dataclass(frozen=True, slots=True)
class Together:
    """What is missed and added together where a document has any number of labels, (labels, labels) each.

    `missed` and `added` are symmetric, with 0 on the diagonal: documents where both labels were missed, and
    where both were added. `swapped[i, j]` are documents where i was missed and j was added.
    """

    missed: IntArray
    added: IntArray
    swapped: IntArray


@dataclass(frozen=True, slots=True)
class _Branch:
    """A part of the tree: its leaves, and the least length of a row of them from one end to the other.

    `lengths[i, j]` is of rows that begin with `leaves[i]` and end with `leaves[j]`, infinite where there is
    none. `parts` are the two branches that it was made of.
    """

    leaves: IntArray
    lengths: Values
    parts: tuple[_Branch, _Branch] | None = None


def order_labels(counts: IntArray) -> IntArray:
    """Return the columns (labels,) of a confusion matrix (labels, labels), ordered to put mistakes close.

    Labels are joined by average linkage of how often one is taken for the other; then the branches of that
    tree are turned so that neighbours are as alike as can be (Bar-Joseph, Gifford and Jaakkola, "Fast optimal
    leaf ordering for hierarchical clustering", 2001).
    """
    if len(counts) < 2:
        return np.arange(len(counts), dtype=np.int64)
    distances = _distances(counts)
    root = _joined(distances)
    i, j = np.unravel_index(int(root.lengths.argmin()), root.lengths.shape)
    row = _row(root, int(i), int(j), distances)
    # Which end comes first does not matter to the lengths: the one that is first in the schema does.
    return np.array(row if row[0] < row[-1] else row[::-1], np.int64)


def worst_blocks(
    counts: IntArray, order: IntArray, *, count: int = 6, most: int = MOST_IN_BLOCK
) -> tuple[ConfusionBlock, ...]:
    """Return runs of the order without a common label that hold most mistakes a label, the worst first."""
    mistakes = _mistakes(counts)[np.ix_(order, order)]
    # corner[i, j] are all mistakes in the first i rows and j columns.
    corner = np.pad(mistakes.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    starts, ends = np.triu_indices(len(order) + 1, 2)
    starts, ends = starts[ends - starts <= most], ends[ends - starts <= most]
    inside = corner[ends, ends] - corner[starts, ends] - corner[ends, starts] + corner[starts, starts]
    found: list[ConfusionBlock] = []
    is_free = np.ones(len(order), bool)
    for k in np.argsort(-inside / np.maximum(ends - starts, 1), kind="stable"):
        here = slice(int(starts[k]), int(ends[k]))
        if len(found) == count or not inside[k]:
            break
        if is_free[here].all():
            is_free[here] = False
            found.append(ConfusionBlock(here.start, here.stop, int(inside[k])))
    return tuple(found)


def near_diagonal(counts: IntArray, order: IntArray, places: int) -> float | None:
    """Return the share of mistakes at most so many places off the diagonal; None without a mistake."""
    mistakes = _mistakes(counts)[np.ix_(order, order)]
    rows = np.arange(len(order))
    is_near = np.abs(rows[:, None] - rows) <= places
    total = int(mistakes.sum())
    return int(mistakes[is_near].sum()) / total if total else None


def together(targets: Decisions, decisions: Decisions) -> Together:
    """Return the labels that mistakes join, by true and decided labels (documents, labels) of 0 and 1."""
    true, decided = targets > 0, decisions > 0
    missed, added = (true & ~decided).astype(np.float32), (decided & ~true).astype(np.float32)
    pairs = [one.T @ other for one, other in ((missed, missed), (added, added), (missed, added))]
    both_missed, both_added, swapped = (pair.astype(np.int64) for pair in pairs)
    np.fill_diagonal(both_missed, 0)
    np.fill_diagonal(both_added, 0)
    return Together(both_missed, both_added, swapped)


def worst_pairs(counts: IntArray, most: int = 20) -> tuple[LabelPair, ...]:
    """Return the cells off the diagonal that hold most documents, of a symmetric matrix each pair once."""
    cells = _mistakes(counts)
    if (cells == cells.T).all():
        cells = np.triu(cells)
    best = np.argsort(-cells, axis=None, kind="stable")[:most]
    places = zip(*np.unravel_index(best, cells.shape), strict=True)
    return tuple(LabelPair(int(i), int(j), int(cells[i, j])) for i, j in places if cells[i, j])


def _mistakes(counts: IntArray) -> IntArray:
    cells = np.array(counts, np.int64)
    np.fill_diagonal(cells, 0)
    return cells


def _distances(counts: IntArray) -> Values:
    """Return how seldom each label is taken for the other (labels, labels): 1 is never, 0 always."""
    support = np.asarray(counts, np.float64).sum(axis=1, keepdims=True)
    rates = _mistakes(counts) / np.maximum(support, 1)
    distances = 1 - (rates + rates.T) / 2
    np.fill_diagonal(distances, 0)
    return np.asarray(distances)


def _joined(distances: Values) -> _Branch:
    """Return the tree of average linkage (Sokal and Michener, 1958), with the best rows of each branch."""
    between = distances.copy()
    np.fill_diagonal(between, np.inf)
    branches = [_Branch(np.array([j]), np.zeros((1, 1))) for j in range(len(distances))]
    for _ in range(len(distances) - 1):
        i, j = divmod(int(between.argmin()), len(between))
        one, other = branches[i], branches[j]
        here, there = len(one.leaves), len(other.leaves)
        mean = (between[i] * here + between[j] * there) / (here + there)
        between[i], between[:, i] = mean, mean
        between[i, i] = between[j] = between[:, j] = np.inf
        branches[i] = _join(one, other, distances)
    return branches[i]


def _join(one: _Branch, other: _Branch, distances: Values) -> _Branch:
    """Return a branch of two: a row of it begins in the one and ends in the other, or the other way round."""
    here = len(one.leaves)
    leaves = np.concatenate([one.leaves, other.leaves])
    across = _shortest(_shortest(one.lengths, distances[np.ix_(one.leaves, other.leaves)]), other.lengths)
    lengths = np.full((len(leaves), len(leaves)), np.inf)
    lengths[:here, here:], lengths[here:, :here] = across, across.T
    return _Branch(leaves, lengths, (one, other))


def _shortest(one: Values, other: Values) -> Values:
    """Return the shortest ways over a leaf between: a matrix product whose sum is the minimum."""
    best = np.full((len(one), other.shape[1]), np.inf)
    for k in range(len(other)):
        np.minimum(best, one[:, k, None] + other[k], out=best)
    return best


def _row(branch: _Branch, i: int, j: int, distances: Values) -> list[int]:
    """Return the leaves of the shortest row from the place i of a branch to its place j.

    NB: a stack and no recursion, as a tree can be as deep as it has leaves.
    """
    row: list[int] = []
    stack = [(branch, i, j)]
    while stack:
        branch, i, j = stack.pop()
        if branch.parts is None:
            row.append(int(branch.leaves[0]))
            continue
        one, other = branch.parts
        if i >= len(one.leaves):
            one, other, i = other, one, i - len(one.leaves)
        else:
            j -= len(one.leaves)
        ways = one.lengths[i][:, None] + distances[np.ix_(one.leaves, other.leaves)] + other.lengths[:, j]
        end, start = np.unravel_index(int(ways.argmin()), ways.shape)
        stack += [(other, int(start), j), (one, i, int(end))]
    return row
