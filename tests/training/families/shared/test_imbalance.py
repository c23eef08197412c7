"""Imbalance: what each choice does to the documents, and that every family refuses what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset
from training.families.build import build_model
from training.families.embedding import model as embedding
from training.families.embedding.recipe import Material, Parts, fit_plain, rebalanced
from training.families.shared.imbalance import (
    balanced_weights,
    even_share,
    made_up,
    oversampled,
    reworded,
    undersampled,
)
from training.families.tfidf import model as tfidf
from training.protocol import TextModel
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, FloatArray, RunSpec, Task, TrainingError

CHOICES = [
    *(("tfidf", choice) for choice in tfidf.IMBALANCES),
    *(("embedding", choice) for choice in embedding.IMBALANCES),
]


def one_hot(counts: tuple[int, ...]) -> FloatArray:
    return np.repeat(np.eye(len(counts), dtype=np.float32), counts, axis=0)


def skewed(task: Task, rare: int) -> Dataset:
    """Return a dataset whose third label has only `rare` documents of its own."""
    data = make_dataset(task, 300)
    has, others = np.flatnonzero(data.targets[:, 2]), np.flatnonzero(data.targets[:, 2] == 0)
    rows = np.concatenate([others, has[:rare]])
    return Dataset(data.schema, tuple(data.texts[i] for i in rows), data.targets[rows])


def empty(dataset: Dataset) -> Dataset:
    return Dataset(dataset.schema, (), dataset.targets[:0])


def fitted(family: str, dataset: Dataset, **params: Any) -> TextModel:
    embedder = WordEmbedder() if family == "embedding" else None
    return build_model(RunSpec(family, params), embedder).fit(dataset, valid=empty(dataset))


@pytest.mark.parametrize(("family", "choice"), CHOICES)
def test_every_choice_learns_a_rare_label_and_exports(
    family: str, choice: str, task: Task, tmp_path: Path
) -> None:
    data, unseen = skewed(task, 8), make_dataset(task, 120, seed=1)
    embedder = WordEmbedder() if family == "embedding" else None
    report = train_and_package(
        RunSpec(family, {"imbalance": choice}),
        data,
        tmp_path / "b",
        tuning=empty(data),
        reporting=unseen,
        embedder=embedder,
    )
    assert report.parity.max_difference < 1e-3
    assert report.evaluation.macro_f1 is not None
    assert report.evaluation.macro_f1 > 0.7


@pytest.mark.parametrize(("family", "choice"), CHOICES)
def test_the_same_seed_makes_the_same_model(family: str, choice: str) -> None:
    data = skewed(SINGLE, 5)
    scores = [fitted(family, data, imbalance=choice).predict_proba(data.texts) for _ in range(2)]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(("family", "choice"), CHOICES)
def test_a_label_of_one_document_is_no_obstacle(family: str, choice: str, task: Task) -> None:
    data = skewed(task, 1)
    assert np.isfinite(fitted(family, data, imbalance=choice).predict_proba(("rate",))).all()


@pytest.mark.parametrize(
    ("family", "choice", "reason"),
    [
        ("tfidf", "smote", "SMOTE mixes vectors"),
        ("embedding", "augment", "Augmentation changes words"),
        ("tfidf", "focal", "Choose one of usual, none"),
        ("embedding", "usual", "Choose one of none, balanced"),
    ],
)
def test_what_a_family_cannot_do_is_refused_with_a_reason(
    family: str, choice: str, reason: str, dataset: Dataset
) -> None:
    with pytest.raises(TrainingError, match=reason):
        fitted(family, dataset, imbalance=choice)


@pytest.mark.parametrize(("task", "usual"), [(SINGLE, "balanced"), (MULTI, "none")])
def test_the_usual_of_tfidf_is_what_it_always_did(task: Task, usual: str) -> None:
    data = skewed(task, 20)
    first, second = (
        fitted("tfidf", data, imbalance=choice).predict_proba(data.texts) for choice in ("usual", usual)
    )
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("family", ["tfidf", "embedding"])
def test_balanced_weights_raise_the_rare_label(family: str) -> None:
    data = skewed(SINGLE, 8)
    plain, even = (
        fitted(family, data, imbalance=choice).predict_proba(data.texts)[:, 2].mean()
        for choice in ("none", "balanced")
    )
    assert even > plain


def test_single_label_weights_make_labels_count_alike_and_average_one() -> None:
    targets = one_hot((90, 9, 1, 0))
    weights = balanced_weights(SINGLE, targets)
    np.testing.assert_allclose((targets * weights).sum(axis=0), [100 / 3] * 3 + [0], rtol=1e-5)
    assert weights.mean() == pytest.approx(1)


def test_multi_label_weights_make_having_a_label_count_like_not_having_it() -> None:
    targets = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], np.float32)
    weights = balanced_weights(MULTI, targets)
    assert weights[:, 0].tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    assert (weights[:, 1:] == 1).all()  # all have it, or none: there is nothing to weigh against


def test_undersampling_turns_a_ratio_into_its_root() -> None:
    targets = one_hot((400, 100, 4))
    kept = undersampled(targets, np.random.default_rng(0))
    assert targets[kept].sum(axis=0).tolist() == [40, 40, 4]
    assert even_share(targets.sum(axis=0)) == 40


def test_undersampling_leaves_no_document_out_that_a_rare_label_needs() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((1_000, 4)) < [0.6, 0.3, 0.05, 0.01]).astype(np.float32)
    kept = undersampled(targets, rng)
    assert len(kept) < 500
    assert targets[kept, 3].sum() == targets[:, 3].sum()
    assert (targets[kept].sum(axis=0) > 0).all()


def test_oversampling_fills_up_to_the_share_but_repeats_no_document_often() -> None:
    targets = one_hot((400, 100, 4))
    rows = oversampled(targets, np.random.default_rng(0))
    assert targets[rows].sum(axis=0).tolist() == [0, 0, 20]
    assert np.bincount(rows).max() == 5


def test_oversampling_counts_what_came_along_with_a_rarer_label() -> None:
    targets = np.concatenate([np.tile([0, 0, 1], (100, 1)), np.tile([1, 1, 0], (4, 1))]).astype(np.float32)
    rows = oversampled(targets, np.random.default_rng(0))
    assert len(rows) == 16  # both rare labels reach 20 by the same copies


def test_rewording_drops_and_swaps_words_but_invents_none() -> None:
    rng = np.random.default_rng(0)
    text = "один two 三 four пять six seven eight nine ten"
    found = [reworded(text, rng) for _ in range(50)]
    assert all(set(other.split()) <= set(text.split()) for other in found)
    assert len(set(found)) > 30
    kept = np.mean([len(other.split()) for other in found])
    assert 8.5 < kept < 9.5


@pytest.mark.parametrize("text", ["", "one", "我的卡丢了"])
def test_a_text_of_one_word_stays_as_it_is(text: str) -> None:
    assert all(reworded(text, np.random.default_rng(seed)) == text for seed in range(20))


def test_made_up_vectors_lie_between_those_of_their_label() -> None:
    rng = np.random.default_rng(0)
    targets = one_hot((100, 9, 2, 1))
    vectors = rng.normal(targets.argmax(axis=1)[:, None] * 10, 1, (112, 3)).astype(np.float32)
    found, said = made_up(vectors, targets, rng)
    assert said.sum(axis=0).tolist() == [0, 1, 8, 0]  # the geometric mean of 100 and 1 is 10
    for label in (1, 2):
        own = vectors[targets[:, label] == 1]
        new = found[said[:, label] == 1]
        assert (new >= own.min(axis=0)).all()
        assert (new <= own.max(axis=0)).all()


def test_made_up_multi_label_documents_have_one_label_alone() -> None:
    targets = np.concatenate([one_hot((80, 5, 0)), np.tile([0, 1, 1], (3, 1))]).astype(np.float32)
    vectors = np.random.default_rng(0).normal(size=(88, 4)).astype(np.float32)
    found, said = made_up(vectors, targets, np.random.default_rng(0))
    assert len(found) == len(said)
    assert said.sum(axis=0).tolist() == [0, 7, 0]  # of label 2 there is no document alone to make more of


def test_one_label_that_stands_alone_is_raised_among_documents_of_several() -> None:
    targets = np.concatenate([np.tile([0, 1, 1], (50, 1)), np.tile([1, 0, 0], (2, 1))]).astype(np.float32)
    vectors = np.random.default_rng(0).normal(size=(52, 4)).astype(np.float32)
    _, said = made_up(vectors, targets, np.random.default_rng(0))
    assert said.sum(axis=0).tolist() == [8, 0, 0]


def test_smoothed_vectors_are_made_up_by_the_same_neighbours_and_steps() -> None:
    rng = np.random.default_rng(0)
    targets = one_hot((64, 4))
    vectors = rng.normal(size=(68, 5)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    both = Material(SINGLE, vectors, targets, smoothed=vectors)
    grown = rebalanced(both, "smote", rng)
    assert len(grown.vectors) == len(grown.targets) == 80
    np.testing.assert_array_equal(grown.vectors, grown.smoothed)
    np.testing.assert_allclose(np.linalg.norm(grown.vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(grown.vectors[:68], vectors)


@pytest.mark.parametrize("choice", embedding.IMBALANCES)
def test_names_alone_are_a_model_whatever_is_chosen(choice: str, task: Task) -> None:
    data = make_dataset(task, 30)
    scores = fitted("embedding", empty(data), imbalance=choice).predict_proba(data.texts)
    assert np.isfinite(scores).all()


def test_weights_by_cell_stand_beside_names_that_have_one_each() -> None:
    rng = np.random.default_rng(0)
    targets = np.eye(3, dtype=np.float32)[rng.integers(3, size=30)]
    material = Material(MULTI, rng.normal(size=(30, 4)).astype(np.float32), targets)
    named = Material(MULTI, material.vectors, targets, names=np.eye(3, 4, dtype=np.float32))
    head = fit_plain(rebalanced(named, "balanced", rng), Parts(True, False, False, 0.1))
    assert head.weights.shape == (4, 3)
