from __future__ import annotations

import numpy as np

from training.drift.topics import blocks, company, most_unlike, nearest_similarity


def around(centre: int, count: int, seed: int, noise: float = 0.1) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(0, noise, (count, 64))
    vectors[:, centre] += 1
    return unit(vectors)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_nearness_is_the_cosine_with_the_nearest_labelled_text() -> None:
    texts = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    assert np.allclose(nearest_similarity(texts, texts[:1]), [1, 0, 0.6])
    assert np.allclose(nearest_similarity(texts, texts[:2]), [1, 1, 0.8])


def test_without_labelled_texts_nothing_is_near() -> None:
    texts = around(0, 3, seed=0)
    assert nearest_similarity(texts, texts[:0]).tolist() == [-1, -1, -1]
    assert nearest_similarity(texts[:0], texts).shape == (0,)


def test_a_block_holds_no_more_cells_than_are_allowed() -> None:
    found = blocks(50, 30, cells=100)
    assert [here.stop - here.start for here in found] == [3] * 17
    assert [i for here in found for i in range(50)[here]] == list(range(50))


def test_blocks_find_what_one_step_would() -> None:
    texts, labelled = around(0, 50, seed=0), around(0, 30, seed=1)
    whole = nearest_similarity(texts, labelled), company(texts)
    parts = np.concatenate([nearest_similarity(texts[i : i + 1], labelled) for i in range(50)])
    assert np.allclose(whole[0], parts)
    full = texts @ texts.T
    np.fill_diagonal(full, -1)
    assert np.allclose(whole[1], np.sort(full, axis=1)[:, -5:].mean(axis=1))


def test_a_new_topic_is_sent_before_known_texts_and_before_single_strange_ones() -> None:
    labelled = around(0, 100, seed=0)
    strange = np.eye(64, dtype=np.float32)[10:30]
    texts = np.concatenate([around(0, 60, seed=1), strange, around(1, 20, seed=2)])
    chosen = most_unlike(texts, labelled, 20)
    assert set(chosen.indices.tolist()) == set(range(80, 100))
    assert (np.diff(chosen.scores) <= 0).all()


def test_no_more_are_sent_than_there_are() -> None:
    texts, labelled = around(1, 3, seed=0), around(0, 5, seed=1)
    assert len(most_unlike(texts, labelled, 50).indices) == 3
    assert len(most_unlike(texts[:0], labelled, 50).indices) == 0
    assert company(texts[:1]).tolist() == [0.0]
    assert np.allclose(company(texts[:2]), texts[0] @ texts[1])
