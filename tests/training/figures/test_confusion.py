from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from training.figures.confusion import near_diagonal, order_labels, together, worst_blocks, worst_pairs


def matrix(labels: int, seed: int = 0) -> np.ndarray:
    """Return a matrix whose rates all differ, so that no two orders are equally good."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 50, (labels, labels)) + np.diag(rng.integers(500, 900, labels))


def distances(counts: np.ndarray) -> np.ndarray:
    rates = counts / counts.sum(axis=1, keepdims=True)
    found = 1 - (rates + rates.T) / 2
    np.fill_diagonal(found, 0)
    return found


def planted(seed: int = 0) -> np.ndarray:
    """Return 24 labels, of which those with the same rest by 6 are taken for each other."""
    rng = np.random.default_rng(seed)
    groups = np.arange(24) % 6
    counts = rng.poisson(np.where(groups[:, None] == groups, 6.0, 0.05))
    np.fill_diagonal(counts, 30)
    return counts


def rows_of(tree: np.ndarray, node: int) -> list[list[int]]:
    """Return every row of leaves that turning the branches of a tree of SciPy gives."""
    leaves = len(tree) + 1
    if node < leaves:
        return [[node]]
    one, other = (rows_of(tree, int(part)) for part in tree[node - leaves, :2])
    return [turned for a in one for b in other for turned in (a + b, b + a)]


@pytest.mark.parametrize("labels", [2, 3, 8])
def test_the_order_is_the_best_of_the_tree_of_scipy(labels: int) -> None:
    counts = matrix(labels)
    apart = distances(counts)
    tree = linkage(squareform(apart), "average")
    best = min(apart[row[:-1], row[1:]].sum() for row in map(np.array, rows_of(tree, 2 * labels - 2)))
    order = order_labels(counts)
    assert sorted(order.tolist()) == list(range(labels))
    assert apart[order[:-1], order[1:]].sum() == pytest.approx(best, abs=1e-9)


def test_with_many_labels_the_order_is_no_worse_than_that_of_scipy() -> None:
    counts = matrix(60)
    apart = distances(counts)
    flat = squareform(apart)
    reference = leaves_list(optimal_leaf_ordering(linkage(flat, "average"), flat))
    order = order_labels(counts)
    length = apart[order[:-1], order[1:]].sum()
    assert length <= apart[reference[:-1], reference[1:]].sum() + 1e-9


def test_labels_that_are_taken_for_each_other_stand_together() -> None:
    counts = planted()
    order = order_labels(counts)
    alphabetical = np.arange(24)
    assert near_diagonal(counts, order, 3) > 0.95
    assert near_diagonal(counts, alphabetical, 3) < 0.2


@pytest.mark.parametrize("labels", [0, 1, 4])
def test_labels_without_mistakes_have_an_order_and_no_blocks(labels: int) -> None:
    counts = np.diag(np.full(labels, 5))
    order = order_labels(counts)
    assert sorted(order.tolist()) == list(range(labels))
    assert worst_blocks(counts, order) == ()
    assert near_diagonal(counts, order, 3) is None


def test_a_label_without_documents_does_not_break_the_order() -> None:
    counts = matrix(5)
    counts[2] = 0
    assert sorted(order_labels(counts).tolist()) == [0, 1, 2, 3, 4]


def test_the_worst_blocks_are_the_groups_that_were_planted() -> None:
    counts = planted()
    order = order_labels(counts)
    blocks = worst_blocks(counts, order, count=3)
    assert [block.end - block.start for block in blocks] == [4, 4, 4]
    for block in blocks:
        columns = order[block.start : block.end]
        assert len({*(columns % 6).tolist()}) == 1
        inside = counts[np.ix_(columns, columns)]
        assert block.mistakes == inside.sum() - np.trace(inside)
    assert blocks[0].mistakes >= blocks[1].mistakes >= blocks[2].mistakes


def test_a_block_holds_no_more_labels_than_are_asked_for() -> None:
    counts = matrix(12)
    assert {block.end - block.start for block in worst_blocks(counts, np.arange(12), most=3)} <= {2, 3}


def test_mistakes_near_the_diagonal_are_counted_by_places() -> None:
    counts = np.array([[9, 2, 1], [0, 9, 0], [5, 0, 9]])
    assert near_diagonal(counts, np.arange(3), 1) == 2 / 8
    assert near_diagonal(counts, np.array([1, 0, 2]), 1) == 8 / 8


def test_what_is_missed_and_added_together_is_counted_by_documents() -> None:
    true = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 0]])
    said = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 1], [1, 0, 0]])
    found = together(true, said)
    assert found.missed.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert found.added.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert found.swapped.tolist() == [[0, 0, 2], [0, 0, 1], [0, 0, 0]]


def test_pairs_come_with_most_documents_first_and_a_symmetric_one_once() -> None:
    pairs = worst_pairs(np.array([[7, 3, 0], [3, 7, 4], [0, 4, 7]]))
    assert [(pair.one, pair.other, pair.documents) for pair in pairs] == [(1, 2, 4), (0, 1, 3)]
    pairs = worst_pairs(np.array([[7, 3, 0], [1, 7, 4], [0, 0, 7]]), most=2)
    assert [(pair.one, pair.other, pair.documents) for pair in pairs] == [(1, 2, 4), (0, 1, 3)]
