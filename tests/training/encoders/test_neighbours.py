from __future__ import annotations

import numpy as np
import pytest

from training.encoders.neighbours import nearest, nearest_to, smooth
from training.types import FloatArray, Neighbours


def unit_rows(rows: int, dimension: int = 16, seed: int = 0) -> FloatArray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_it_finds_what_sorting_all_similarities_finds() -> None:
    vectors = unit_rows(200)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    found = nearest(vectors, k=5)
    np.testing.assert_array_equal(found.indices, np.argsort(-cosines, axis=1)[:, :5])
    np.testing.assert_allclose(found.similarities, -np.sort(-cosines, axis=1)[:, :5], atol=1e-6)


def test_blocks_give_what_one_block_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_rows(100)
    whole = nearest(vectors)
    monkeypatch.setattr("training.encoders.neighbours._BLOCK_CELLS", 700)
    np.testing.assert_array_equal(nearest(vectors).indices, whole.indices)


def test_equal_texts_are_neighbours_of_each_other_but_not_of_themselves() -> None:
    vectors = np.repeat(unit_rows(3), 4, axis=0)
    found = nearest(vectors, k=3)
    assert not (found.indices == np.arange(12)[:, None]).any()
    np.testing.assert_allclose(found.similarities, 1, atol=1e-6)


def test_a_small_corpus_has_as_many_neighbours_as_there_are_others() -> None:
    assert nearest(unit_rows(3), k=10).indices.shape == (3, 2)
    assert nearest(unit_rows(1), k=10).indices.shape == (1, 0)
    assert nearest(np.zeros((0, 16), np.float32)).indices.shape == (0, 0)


def test_new_texts_find_their_neighbours_in_an_older_corpus() -> None:
    vectors = unit_rows(50)
    found = nearest_to(vectors[7:9], vectors, k=3)
    assert found.indices[:, 0].tolist() == [7, 8]


def test_the_approximate_search_finds_nearly_all_true_neighbours() -> None:
    vectors = unit_rows(600)
    true, found = nearest(vectors), nearest(vectors, exact_rows=100)
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(true.indices, found.indices, strict=True)]
    assert np.mean(shared) > 0.95
    assert not (found.indices == np.arange(600)[:, None]).any()


def test_smoothing_moves_a_text_towards_its_neighbours() -> None:
    vectors = np.array([[1, 0], [0.8, 0.6], [0.8, 0.6]], np.float32)
    neighbours = Neighbours(np.array([[1], [2], [1]]), np.array([[0.8], [1.0], [1.0]], np.float32))
    smoothed = smooth(vectors, neighbours)
    np.testing.assert_allclose(smoothed[0], np.array([1.8, 0.6]) / np.hypot(1.8, 0.6), atol=1e-6)
    np.testing.assert_allclose(smoothed[1:], vectors[1:], atol=1e-6)


def test_a_text_without_any_similar_one_stays_as_it_is() -> None:
    vectors = unit_rows(4)
    none = Neighbours(np.zeros((4, 2), np.int64), np.zeros((4, 2), np.float32))
    np.testing.assert_allclose(smooth(vectors, none), vectors, atol=1e-6)
