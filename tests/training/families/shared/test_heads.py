"""Linear SVM and boosted trees: probabilities, shapes at the edges, and graphs that answer alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset
from training.families.build import build_model
from training.families.shared.heads import Head, fit_head
from training.families.shared.trees import _not_above
from training.families.tfidf.linear_svm import calibrated, squared_hinge
from training.figures.calibration import expected_calibration_error
from training.protocol import TextModel
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, RunSpec, Task, TrainingError

HEADS = [("tfidf", "svm"), ("tfidf", "lightgbm"), ("embedding", "lightgbm")]


def embedder_of(family: str) -> WordEmbedder | None:
    return WordEmbedder() if family == "embedding" else None


def fitted(family: str, dataset: Dataset, **params: Any) -> TextModel:
    model = build_model(RunSpec(family, params), embedder_of(family))
    return model.fit(dataset, valid=nothing(dataset))


def nothing(dataset: Dataset) -> Dataset:
    return Dataset(dataset.schema, (), dataset.targets[:0])


def mixed(task: Task) -> Dataset:
    """Return texts in English, Russian and Chinese, some of two scripts at once."""
    words = {"card": ("card", "карта", "卡 card"), "rate": ("rate курс", "курс", "汇率 rate")}
    schema = LabelSchema(task, tuple(LabelSpec(key, key) for key in words))
    answers = [key for key in words for _ in range(24)]
    texts = [f"{words[key][i % 3]} {['пожалуйста', 'please', '请'][i % 3]}" for i, key in enumerate(answers)]
    return Dataset(schema, tuple(texts), schema.encode([answer] for answer in answers))


@pytest.mark.parametrize(("family", "head"), HEADS)
def test_a_head_learns_and_its_bundle_answers_alike(
    family: str, head: str, task: Task, dataset: Dataset, tmp_path: Path
) -> None:
    spec, embedder = RunSpec(family, {"head": head}), embedder_of(family)
    unseen = make_dataset(task, 60, seed=1)
    report = train_and_package(
        spec,
        make_dataset(task, 400),
        tmp_path / "b",
        tuning=nothing(dataset),
        reporting=unseen,
        embedder=embedder,
    )
    assert report.parity.max_difference < 1e-4
    assert report.evaluation.macro_f1 is not None
    assert report.evaluation.macro_f1 > (0.7 if family == "embedding" else 0.8)


@pytest.mark.parametrize(("family", "head"), HEADS)
def test_a_bundle_answers_alike_where_a_label_has_no_documents_yet(
    family: str, head: str, task: Task, tmp_path: Path
) -> None:
    known = make_dataset(task, 90)
    schema = LabelSchema(task, (*known.schema.labels, LabelSpec("later", "later")))
    dataset = Dataset(schema, known.texts, np.pad(known.targets, ((0, 0), (0, 1))))
    spec, embedder = RunSpec(family, {"head": head}), embedder_of(family)
    none = nothing(dataset)
    report = train_and_package(spec, dataset, tmp_path / "b", tuning=none, reporting=none, embedder=embedder)
    assert report.parity.max_difference < 1e-4


def test_trees_are_tuned_out_of_fold_where_one_label_is_in_one_fold_alone(task: Task, tmp_path: Path) -> None:
    schema = LabelSchema(task, (LabelSpec("card", "card"), LabelSpec("rate", "rate")))
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    texts = (*(f"the card {word}" for word in words), "a rate")
    dataset = Dataset(schema, texts, schema.encode([["card"]] * 8 + [["rate"]]))
    spec, none = RunSpec("embedding", {"head": "lightgbm"}), nothing(dataset)
    report = train_and_package(
        spec, dataset, tmp_path / "b", tuning=none, reporting=none, embedder=WordEmbedder()
    )
    assert report.details["tuned_on"] == "out of fold"


@pytest.mark.parametrize(("family", "head"), HEADS)
def test_a_loaded_head_scores_like_the_saved_one(
    family: str, head: str, dataset: Dataset, tmp_path: Path
) -> None:
    model = fitted(family, dataset, head=head)
    model.save(tmp_path)
    given = {"embedder": embedder_of(family)} if embedder_of(family) else {}
    loaded = type(model).load(tmp_path, **given)
    np.testing.assert_array_equal(loaded.predict_proba(dataset.texts), model.predict_proba(dataset.texts))


@pytest.mark.parametrize(("family", "head"), HEADS)
def test_the_same_seed_gives_the_same_scores(family: str, head: str, dataset: Dataset) -> None:
    first, second = (fitted(family, dataset, head=head).predict_proba(dataset.texts) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("family", "head"), HEADS)
def test_a_label_without_examples_is_scored_low(family: str, head: str, dataset: Dataset) -> None:
    kept = np.flatnonzero(dataset.targets[:, 2] == 0)
    few = Dataset(dataset.schema, tuple(dataset.texts[i] for i in kept), dataset.targets[kept])
    scores = fitted(family, few, head=head).predict_proba(few.texts)
    assert (scores[:, 2] < 1e-3).all()
    assert ((scores[:, :2] > 0.5) == few.targets[:, :2]).mean() > 0.8


@pytest.mark.parametrize(("family", "head"), HEADS)
def test_one_document_for_each_label_is_enough(family: str, head: str, task: Task) -> None:
    small = make_dataset(task, 90)
    rows = [int(np.flatnonzero(small.targets[:, j])[0]) for j in range(3)]
    chosen = Dataset(small.schema, tuple(small.texts[i] for i in rows), small.targets[rows])
    scores = fitted(family, chosen, head=head).predict_proba(("card", ""))
    assert scores.shape == (2, 3)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("head", ["logistic", "svm", "lightgbm"])
def test_several_scripts_are_learned_and_exported(head: str, task: Task, tmp_path: Path) -> None:
    data = mixed(task)
    spec = RunSpec("tfidf", {"head": head})
    report = train_and_package(spec, data, tmp_path / "b", tuning=nothing(data), reporting=data)
    assert report.parity.max_difference < 1e-4
    assert report.evaluation.macro_f1 == 1.0


def test_svm_probabilities_are_honest_on_texts_that_were_not_seen(task: Task) -> None:
    data, unseen = make_dataset(task, 300), make_dataset(task, 300, seed=1)
    noisy = np.random.default_rng(0).random(300) < 0.25
    targets = np.where(noisy[:, None], np.roll(data.targets, 1, axis=1), data.targets)
    expected = np.where(noisy[:, None], np.roll(unseen.targets, 1, axis=1), unseen.targets)
    scores = fitted("tfidf", Dataset(data.schema, data.texts, targets), head="svm").predict_proba(
        unseen.texts
    )
    error = expected_calibration_error(task, scores, expected)
    assert error is not None
    assert error < 0.1


def test_the_svm_finds_the_widest_margin() -> None:
    line = np.array([[-3.0], [-1.0], [1.0], [3.0]], np.float32)
    targets = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    ones = np.ones((4, 1), np.float32)
    head = fit_head(SINGLE, line, targets, ones, penalty=1e-3, cost=squared_hinge)
    np.testing.assert_allclose(head.logits(line[1:3]), [[1, -1], [-1, 1]], atol=0.01)


def test_calibration_scales_margins_and_shifts_labels() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(4_000, 2)).astype(np.float32)
    chance = 1 / (1 + np.exp(-(3 * margins + [1, -1])))
    targets = (rng.random(chance.shape) < chance).astype(np.float32)
    head = calibrated(MULTI, Head(np.eye(2, dtype=np.float32), np.zeros(2, np.float32)), margins, targets)
    np.testing.assert_allclose(head.weights, 3 * np.eye(2), atol=0.3)
    np.testing.assert_allclose(head.bias, [1, -1], atol=0.3)


def test_without_margins_the_head_stays_as_it_is() -> None:
    head = Head(np.eye(2, dtype=np.float32), np.ones(2, np.float32))
    none = np.zeros((0, 2), np.float32)
    same = calibrated(SINGLE, head, none, none)
    np.testing.assert_array_equal(same.weights, head.weights)
    np.testing.assert_array_equal(same.bias, head.bias)


@pytest.mark.parametrize("threshold", [0.1, 1.0, 1.0000000180025095e-35, -0.3, 16_777_217.0])
def test_a_split_sends_every_float32_the_same_way_as_the_double(threshold: float) -> None:
    split = _not_above(threshold)
    near = np.nextafter(np.float32(threshold), np.array([-np.inf, np.inf], np.float32))
    for value in (*near, np.float32(threshold)):
        assert (value <= np.float32(split)) == (float(value) <= threshold)


@pytest.mark.parametrize("family", ["tfidf", "embedding"])
def test_an_unknown_head_is_refused_by_name(family: str, dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match="no head 'bert'; choose one of logistic"):
        fitted(family, dataset, head="bert")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [(ModuleNotFoundError("lightgbm"), "pip install"), (OSError("libgomp.so.1"), "apt-get install libgomp1")],
)
def test_a_library_that_cannot_be_loaded_is_named_with_the_remedy(
    error: Exception, remedy: str, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise error

    monkeypatch.setattr("training.families.shared.trees.import_module", broken)
    with pytest.raises(TrainingError, match=remedy):
        fitted("embedding", dataset, head="lightgbm")


def test_trees_need_labelled_documents(dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match="label some"):
        fitted("embedding", nothing(dataset), head="lightgbm")


def test_trees_start_anew_and_do_not_disturb_a_logistic_head(dataset: Dataset, tmp_path: Path) -> None:
    fitted("embedding", dataset, head="lightgbm").save(tmp_path)
    cold = fitted("embedding", dataset).predict_proba(dataset.texts)
    spec = RunSpec("embedding", previous=tmp_path)
    warm = build_model(spec, WordEmbedder()).fit(dataset, valid=nothing(dataset))
    np.testing.assert_array_equal(warm.predict_proba(dataset.texts), cold)


def test_a_tfidf_model_of_before_there_were_heads_still_loads(tmp_path: Path) -> None:
    data = make_dataset(SINGLE, 60)
    model = fitted("tfidf", data)
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(
        '{"task": "single", "seed": 0, "C": 0.0, "balanced": false}', "utf-8"
    )
    earlier = type(model).load(tmp_path)
    np.testing.assert_array_equal(earlier.predict_proba(data.texts), model.predict_proba(data.texts))
    assert earlier.imbalance == "none"  # type: ignore[attr-defined]
