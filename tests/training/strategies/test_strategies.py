from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.protocol import QueryStrategy
from training.registry import STRATEGIES, entry
from training.selection import PoolView
from training.strategies import diversity, novelty
from training.strategies.diversity import diverse, kmeans
from training.strategies.multilabel import label_turns
from training.strategies.novelty import unlike_labelled
from training.strategies.uncertainty import entropy, least_confidence, margin
from training.strategies.words import both_margins, entity_mass, mnlp, token_margin
from training.strategies.wrappers import choose_batch
from training.types import FloatArray, TrainingError

BROKEN = {
    "missing": None,
    "empty": np.zeros((0, 3), np.float32),
    "constant": np.full((4, 3), 0.5, np.float32),
    "not numbers": np.full((4, 3), np.nan, np.float32),
}


def a_pool(scores: FloatArray | None, *, vectors: FloatArray | None = None, counts: int = 0) -> PoolView:
    given = scores if scores is not None else vectors
    assert given is not None
    labels = scores.shape[1] if scores is not None else 3
    return PoolView(len(given), scores, vectors, None, np.full(labels, counts, np.int64))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def scores(rng: np.random.Generator) -> FloatArray:
    return rng.dirichlet(np.ones(5), 200).astype(np.float32)


def test_margin_picks_what_plain_numpy_picks(scores: FloatArray, rng: np.random.Generator) -> None:
    ordered = np.sort(scores, axis=1)
    expected = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")[:20]
    assert margin(a_pool(scores), 20, rng).indices.tolist() == expected.tolist()


def test_entropy_picks_the_widest_distribution_first(scores: FloatArray, rng: np.random.Generator) -> None:
    widths = -(scores * np.log(scores)).sum(axis=1)
    found = entropy(a_pool(scores), 20, rng)
    assert found.indices.tolist() == np.argsort(-widths)[:20].tolist()
    np.testing.assert_allclose(found.scores, np.sort(widths)[::-1][:20], rtol=1e-5)


def test_least_confidence_picks_the_lowest_best_score_first(
    scores: FloatArray, rng: np.random.Generator
) -> None:
    best = scores.max(axis=1)
    found = least_confidence(a_pool(scores), 20, rng)
    assert found.indices.tolist() == np.argsort(best)[:20].tolist()
    np.testing.assert_allclose(found.scores, 1 - np.sort(best)[:20], rtol=1e-5)


@pytest.mark.parametrize(
    ("choose", "expected"), [(token_margin, [2, 0, 1]), (entity_mass, [1, 0, 2]), (mnlp, [0, 2, 1])]
)
def test_each_strategy_of_spans_follows_its_own_sign(
    choose: QueryStrategy, expected: list[int], rng: np.random.Generator
) -> None:
    # The least margin is of text 2, most words in spans has text 1, the least likely tags has text 0.
    signs = np.array([[0.5, 0.2, -3.0], [0.9, 0.7, -0.1], [0.1, 0.0, -0.5]], np.float32)
    assert choose(a_pool(signs), 3, rng).indices.tolist() == expected
    assert choose(a_pool(signs), 1, rng).indices.tolist() == expected[:1]


def test_words_and_labels_of_whole_texts_choose_together(rng: np.random.Generator) -> None:
    # Text 0 has the least sure word, text 2 the least sure label, and text 1 is unsure of both.
    signs = np.zeros((4, 4), np.float32)
    signs[:, 0], signs[:, 3] = (0.10, 0.11, 0.90, 0.95), (0.49, 0.02, 0.01, 0.48)
    assert both_margins(a_pool(signs), 4, rng).indices.tolist() == [1, 2, 0, 3]
    assert both_margins(a_pool(signs), 1, rng).indices.tolist() == [1]


@pytest.mark.parametrize("key", [key for key, strategy in STRATEGIES.items() if strategy.reads_scores])
@pytest.mark.parametrize(
    "broken",
    [
        None,
        np.zeros((0, 3), np.float32),
        np.full((4, 3), 0.5, np.float32),
        np.full((4, 3), np.nan, np.float32),
    ],
    ids=["missing", "empty", "constant", "not numbers"],
)
def test_scores_that_say_nothing_are_an_error_and_not_a_random_order(
    key: str, broken: FloatArray | None, rng: np.random.Generator
) -> None:
    pool = PoolView(4, broken, None, None, np.zeros(3, np.int64))
    with pytest.raises(TrainingError):
        entry(STRATEGIES, key).load()(pool, 2, rng)


def test_labels_take_turns_picks_near_each_labels_own_threshold(rng: np.random.Generator) -> None:
    scores = rng.random((300, 2)).astype(np.float32)
    thresholds = np.array([0.2, 0.8], np.float32)
    pool = PoolView(300, scores, None, thresholds, np.zeros(2, np.int64))
    chosen = label_turns(pool, 20, rng).indices
    nearest = np.abs(scores[chosen] - thresholds).min(axis=1)
    assert nearest.max() < 0.1
    assert len(set(chosen.tolist())) == 20


def test_a_rare_label_gets_more_turns_than_a_frequent_one(rng: np.random.Generator) -> None:
    scores = np.vstack([np.eye(2, dtype=np.float32)[[0] * 200], np.eye(2, dtype=np.float32)[[1] * 200]])
    scores = np.clip(scores + rng.normal(0, 0.01, scores.shape), 0, 1).astype(np.float32)
    thresholds = np.ones(2, np.float32)  # a label's own documents lie nearest
    pool = PoolView(400, scores, None, thresholds, np.array([400, 0], np.int64))
    chosen = label_turns(pool, 100, rng).indices
    assert (chosen >= 200).sum() > 80


def test_every_text_can_be_chosen_by_turns(rng: np.random.Generator) -> None:
    scores = rng.random((10, 3)).astype(np.float32)
    assert sorted(label_turns(a_pool(scores), 10, rng).indices) == list(range(10))


def test_kmeans_picks_from_every_cluster(rng: np.random.Generator) -> None:
    centres = np.eye(6, dtype=np.float32) * 10
    vectors = np.repeat(centres, 30, axis=0) + rng.normal(0, 0.1, (180, 6)).astype(np.float32)
    pool = PoolView(180, None, vectors, None, np.zeros(2, np.int64))
    chosen = kmeans(pool, 20, rng).indices
    assert len(set(chosen.tolist())) == 20
    assert {int(row) // 30 for row in chosen} == set(range(6))


def named_pool(rng: np.random.Generator) -> PoolView:
    """Return a crowd of twenty texts near each of three names, eleven of the first one's close together.

    A fourth name has no texts, and twenty texts more are near no other and nearest to the third.
    """
    corners = np.eye(6, dtype=np.float32)
    crowds = np.repeat(corners[:3], 20, axis=0) + rng.normal(0, 0.2, (60, 6)).astype(np.float32)
    crowds[:11] = corners[0] + rng.normal(0, 0.02, (11, 6))
    strays = rng.normal(0, 1, (20, 6)).astype(np.float32)
    strays[:, :2], strays[:, 2], strays[:, 5] = 0, 0.3, 0
    vectors = np.concatenate([crowds, strays])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return PoolView(80, None, vectors, None, np.zeros(4, np.int64), names=corners[[0, 1, 2, 5]])


def test_before_the_first_label_a_typical_text_of_each_name_comes_first(rng: np.random.Generator) -> None:
    pool = named_pool(rng)
    chosen = kmeans(pool, 10, rng)
    first = sorted(chosen.indices[:3].tolist())
    assert first[0] < 11
    assert [row // 20 for row in first] == [0, 1, 2]
    assert len(set(chosen.indices.tolist())) == 10
    assert chosen.indices[3:].max() >= 60  # k-means chooses the others, and sees the strays
    assert len(kmeans(pool, 2, rng).indices) == 2
    assert len(kmeans(pool, 0, rng).indices) == 0
    assert sorted(kmeans(pool, 100, rng).indices.tolist()) == list(range(80))


def test_names_say_nothing_once_there_are_labels(rng: np.random.Generator) -> None:
    pool = replace(named_pool(rng), label_counts=np.array([1, 0, 0, 0]))
    plain = kmeans(replace(pool, names=None), 10, np.random.default_rng(1)).indices
    assert kmeans(pool, 10, np.random.default_rng(1)).indices.tolist() == plain.tolist()


def test_of_many_texts_a_sample_tells_what_is_typical(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diversity, "SAMPLE", 30)
    assert len(set(kmeans(named_pool(rng), 10, rng).indices.tolist())) == 10


def test_the_diversity_step_leaves_out_copies_of_one_text(rng: np.random.Generator) -> None:
    """Ten copies are the most uncertain; by scores alone they would fill the batch."""
    scores = np.vstack([np.full((10, 2), 0.5), rng.dirichlet([9, 1], 90)]).astype(np.float32)
    vectors = np.vstack([np.ones((10, 4)), rng.normal(0, 1, (90, 4))]).astype(np.float32)
    pool = PoolView(100, scores, vectors, None, np.zeros(2, np.int64))
    assert sum(margin(pool, 10, rng).indices < 10) == 10
    assert sum(diverse(margin, pool, 10, rng).indices < 10) <= 2


def test_a_batch_holds_its_random_share_and_no_document_twice(
    scores: FloatArray, rng: np.random.Generator
) -> None:
    pool = a_pool(scores)
    plain = set(margin(pool, 100, rng).indices.tolist())
    selection = choose_batch("margin", pool, 100, rng, random_share=0.5)
    chosen = selection.indices.tolist()
    assert len(set(chosen)) == 100
    assert 10 < len(set(chosen) - plain) < 60
    # What was drawn is told apart: the rest are the most wanted ones.
    rest = set(chosen) - set(selection.drawn.tolist())
    assert rest == set(margin(pool, len(rest), rng).indices.tolist())


def test_random_order_is_drawn_as_a_whole(scores: FloatArray, rng: np.random.Generator) -> None:
    pool = a_pool(scores)
    selection = choose_batch("random", pool, 20, rng, random_share=0.3)
    assert sorted(selection.drawn) == sorted(selection.indices)
    assert not len(choose_batch("margin", pool, 20, rng).drawn)


def test_a_pool_smaller_than_the_batch_is_chosen_whole(scores: FloatArray, rng: np.random.Generator) -> None:
    pool = a_pool(scores[:7], vectors=scores[:7])
    for key in ("margin", "kmeans", "random"):
        assert sorted(choose_batch(key, pool, 50, rng).indices) == list(range(7))


def test_a_batch_whose_every_place_is_drawn_at_random_needs_no_cluster(rng: np.random.Generator) -> None:
    pool = PoolView(1, None, np.ones((1, 2), np.float32), None, np.zeros(2, np.int64))
    assert choose_batch("kmeans", pool, 1, rng, random_share=1.0).indices.tolist() == [0]


def test_what_is_novel_is_unlike_what_has_a_label_and_no_oddity(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three groups one is labelled; a single text is the farthest from all, and not chosen first."""
    monkeypatch.setattr(novelty, "LABELS", 5)
    groups = np.repeat(np.eye(4, 8, dtype=np.float32)[:3], 40, axis=0)
    groups[:, 4:] = rng.normal(0, 0.15, (120, 4)).astype(np.float32)
    vectors = np.vstack([groups, -np.eye(8, dtype=np.float32)[:1]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = rng.dirichlet([9, 1], 121).astype(np.float32)
    pool = PoolView(121, scores, vectors, None, np.zeros(2, np.int64), labelled=vectors[:5])
    rows = unlike_labelled(pool, 2, rng, taken=np.zeros(0, np.int64))
    assert sorted(rows // 40) == [1, 2]
    taken = np.flatnonzero(np.arange(120) // 40 == 1)  # about to get a label: only the third group is new
    assert unlike_labelled(pool, 1, rng, taken=taken)[0] // 40 == 2
    # Where all groups have a label nothing is new, and the places are the strategy's.
    known = replace(pool, labelled=vectors[::10])
    assert not len(unlike_labelled(known, 2, rng, taken=taken))
    selection = choose_batch("margin", known, 10, rng, novel_share=0.9)
    assert (len(selection.indices), len(selection.unlike)) == (10, 0)


def test_a_batch_holds_its_novel_share_where_texts_have_labels_and_a_model(
    scores: FloatArray, rng: np.random.Generator
) -> None:
    vectors = np.repeat(np.eye(len(scores) // 4, dtype=np.float32), 4, axis=0)
    pool = a_pool(scores, vectors=vectors)
    labelled = replace(pool, labelled=np.repeat(vectors[:9], 40, axis=0))
    selection = choose_batch("margin", labelled, 50, rng, novel_share=0.4, random_share=0.2)
    assert len(set(selection.indices.tolist())) == 50
    assert 5 < len(selection.unlike) < 35
    assert not set(selection.unlike.tolist()) & set(selection.drawn.tolist())
    few = replace(pool, labelled=labelled.labelled[: novelty.LABELS - 1])
    for none in (pool, few):
        assert not len(choose_batch("margin", none, 50, rng, novel_share=0.4).unlike)
    for key in ("kmeans", "random"):
        assert not len(choose_batch(key, labelled, 50, rng, novel_share=0.4).unlike)


def test_of_many_texts_a_draw_is_looked_at_for_novel_ones(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(novelty, "LABELS", 9)
    monkeypatch.setattr(novelty, "SAMPLE", 30)
    monkeypatch.setattr(novelty, "_FEWEST", 30)
    monkeypatch.setattr(novelty, "NEW", -99.0)
    vectors = rng.normal(0, 1, (400, 6)).astype(np.float32)
    pool = PoolView(400, None, vectors, None, np.zeros(2, np.int64), labelled=vectors[:9])
    rows = unlike_labelled(pool, 50, rng, taken=np.arange(10))
    assert len(set(rows.tolist())) == 30
    assert rows.min() >= 10
