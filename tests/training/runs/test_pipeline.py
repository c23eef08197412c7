from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder, make_dataset
from training.bundles.predictor import Predictor
from training.export import onnx
from training.export.onnx import ParityError
from training.families.tfidf import model as tfidf
from training.families.tfidf.model import TfidfModel
from training.figures import calibration
from training.runs import pipeline
from training.runs.pipeline import (
    Folding,
    calibrate_and_tune,
    evaluate_bundle,
    fit_model,
    out_of_fold,
    train_and_package,
)
from training.tasks import MULTI, SINGLE
from training.types import (
    Dataset,
    FloatArray,
    IntArray,
    Objective,
    Pool,
    RunReport,
    RunSpec,
    Task,
    TrainingError,
)

SPEC = RunSpec("tfidf")


def none_of(data: Dataset) -> Dataset:
    return Dataset(data.schema, (), data.targets[:0])


def trained(folder: Path, data: Dataset, spec: RunSpec = SPEC, **given: Dataset) -> RunReport:
    halves = {"tuning": none_of(data), "reporting": none_of(data)} | given
    return train_and_package(spec, data, folder, **halves)


def give(monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    """Give the family more than it has, by another class: Python remembers which protocols a class has."""
    monkeypatch.setattr(tfidf, "TfidfModel", type("RicherModel", (TfidfModel,), members))


def test_a_run_leaves_a_bundle_with_its_figures(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    reporting = make_dataset(task, 60, seed=1)
    report = trained(tmp_path / "one", dataset, reporting=reporting)
    manifest = Predictor(report.bundle).manifest
    assert manifest.schema == dataset.schema
    assert manifest.thresholds == report.thresholds
    assert manifest.figures["macro_f1"] == report.evaluation.macro_f1
    assert manifest.figures["labelled"] == 90
    assert report.evaluation.documents == 60
    assert report.bundle_bytes == sum(path.stat().st_size for path in report.bundle.iterdir())
    assert evaluate_bundle(report.bundle, reporting) == report.evaluation


def test_progress_only_goes_forward_and_names_stages(dataset: Dataset, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    train_and_package(
        SPEC,
        dataset,
        tmp_path / "one",
        tuning=none_of(dataset),
        reporting=none_of(dataset),
        on_progress=lambda stage, done: told.append((stage, done)),
    )
    assert [stage for stage, _ in told] == ["fit", "tune", "export", "evaluate", "publish", "done"]
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-1][1] == 1.0


@pytest.mark.parametrize("stage", ["fit", "tune", "export", "evaluate", "publish"])
def test_a_run_that_is_cancelled_leaves_nothing_behind(dataset: Dataset, tmp_path: Path, stage: str) -> None:
    def cancel(reached: str, _: float) -> None:
        if reached == stage:
            raise TrainingError("cancelled")

    with pytest.raises(TrainingError, match="cancelled"):
        train_and_package(
            SPEC,
            dataset,
            tmp_path / "one",
            tuning=none_of(dataset),
            reporting=none_of(dataset),
            on_progress=cancel,
        )
    assert list(tmp_path.iterdir()) == []


def test_without_a_holdout_there_are_thresholds_and_no_figures(dataset: Dataset, tmp_path: Path) -> None:
    report = trained(tmp_path / "one", dataset)
    assert report.details["tuned_on"] == "out of fold"
    assert report.evaluation.macro_f1 is None
    assert report.evaluation.documents == 0


def test_a_large_tuning_half_is_enough_and_a_small_one_is_added_to(task: Task, dataset: Dataset) -> None:
    model = fit_model(SPEC, dataset, none_of(dataset)).model
    large, small = (make_dataset(task, documents, seed=2) for documents in (150, 20))
    assert calibrate_and_tune(SPEC, dataset, large, model).source == "tuning"
    mixed = calibrate_and_tune(SPEC, dataset, small, model)
    assert (mixed.source, mixed.documents) == ("out of fold and tuning", 110)


@pytest.mark.parametrize(
    ("task", "source", "documents"), [(SINGLE, "tuning", 20), (MULTI, "out of fold and tuning", 110)]
)
def test_where_the_encoder_knows_the_documents_they_make_no_confidence_that_one_label_is_right(
    task: Task, source: str, documents: int
) -> None:
    class Tuned(WordEmbedder):
        knows_labels = True

    dataset, spec, tuned = make_dataset(task, 90), RunSpec("embedding"), Tuned()
    model = fit_model(spec, dataset, none_of(dataset), tuned).model
    few = calibrate_and_tune(spec, dataset, make_dataset(task, 20, seed=2), model, tuned)
    assert (few.source, few.documents) == (source, documents)


def test_few_documents_set_thresholds_over_several_ways_to_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, few, encoder = make_dataset(MULTI, 60), make_dataset(MULTI, 20, seed=2), WordEmbedder()
    spec = RunSpec("embedding")
    model = fit_model(spec, dataset, few, encoder).model
    tuned = calibrate_and_tune(spec, dataset, few, model, encoder)
    each = []
    for seed in (0, 1_000, 2_000):
        folded = out_of_fold(replace(spec, seed=seed), dataset, model, encoder, Folding.ENOUGH)
        assert folded is not None
        scores = tuned.scores(np.concatenate([folded.scores, model.predict_proba(few.texts)]))
        targets = np.concatenate([folded.targets, few.targets])
        each.append(MULTI.tune(scores, targets, Objective.F1))
    assert tuned.thresholds == pytest.approx(np.mean(each, axis=0))
    assert tuned.thresholds != pytest.approx(each[0])
    monkeypatch.setattr(pipeline, "_MOST_FOLDED", 59)
    assert calibrate_and_tune(spec, dataset, few, model, encoder).thresholds == pytest.approx(each[0])


def test_tiny_data_trains_without_tuning(task: Task, tmp_path: Path) -> None:
    report = trained(tmp_path / "one", make_dataset(task, 4))
    assert (report.details["tuned_on"], report.details["tuned_documents"]) == ("none", 0)
    assert Predictor(report.bundle).manifest.calibration == calibration.IDENTITY


def test_a_family_may_score_itself_out_of_fold(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[IntArray] = []

    def out_of_fold(self: TfidfModel, folds: IntArray) -> FloatArray:
        asked.append(folds)
        return np.full(dataset.targets.shape, 0.5, np.float32)

    give(monkeypatch, out_of_fold=out_of_fold)
    model = fit_model(SPEC, dataset, none_of(dataset)).model
    assert calibrate_and_tune(SPEC, dataset, none_of(dataset), model).source == "out of fold"
    ways = pipeline.FOLDINGS if dataset.schema.task.has_thresholds else 1
    assert [len(folds) for folds in asked] == [len(dataset)] * ways


@pytest.mark.parametrize("held", [120, 8])
def test_what_a_model_held_back_is_calibrated_on_where_it_is_enough(
    task: Task, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    data = make_dataset(task, 150)
    rows = np.arange(149, 149 - held, -1)
    scores = np.clip(np.abs(data.targets[rows] - 0.2), 0.1, 0.8).astype(np.float32)
    give(monkeypatch, held_back=lambda self: (rows, scores))
    model = fit_model(SPEC, data, none_of(data)).model
    tuned = calibrate_and_tune(SPEC, data, none_of(data), model)
    assert tuned.documents == (120 if held == 120 else 150)
    assert (tuned.calibration == task.calibrate(scores, data.targets[rows])) is (held == 120)


def test_a_fold_without_which_one_label_is_left_is_not_scored() -> None:
    data = make_dataset(SINGLE, 12)
    targets = np.eye(3, dtype=np.float32)[[0] * 11 + [1]]
    model = fit_model(SPEC, data, none_of(data)).model
    lonely = Dataset(data.schema, tuple(f"text {word}" for word in "abcdefghijkl"), targets)
    tuned = calibrate_and_tune(SPEC, lonely, none_of(data), model)
    assert (tuned.source, tuned.documents) == ("out of fold", 8)
    alike = replace(lonely, targets=np.repeat(targets[:1], 12, axis=0))
    assert calibrate_and_tune(SPEC, alike, none_of(data), model).source == "none"


@pytest.mark.parametrize(("documents", "source"), [(5, "none"), (6, "out of fold")])
def test_two_documents_a_fold_are_the_fewest_that_are_folded(task: Task, documents: int, source: str) -> None:
    data = make_dataset(task, 12)
    some = Dataset(data.schema, data.texts[:documents], data.targets[:documents])
    model = fit_model(SPEC, data, none_of(data)).model
    assert calibrate_and_tune(SPEC, some, none_of(data), model).source == source


def test_one_fold_is_scored_where_it_has_documents_enough(
    task: Task, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "ENOUGH_FOR_ONE_FOLD", 30)
    model = fit_model(SPEC, dataset, none_of(dataset)).model
    tuned = calibrate_and_tune(SPEC, dataset, none_of(dataset), model)
    assert tuned.documents == (30 if task is SINGLE else 90)


def test_the_objective_reaches_the_thresholds(tmp_path: Path) -> None:
    data = make_dataset(MULTI, 90)
    wary, bold = (
        trained(
            tmp_path / name, data, RunSpec("tfidf", objective=Objective.FBETA, objective_value=beta)
        ).thresholds
        for name, beta in (("wary", 0.1), ("bold", 10.0))
    )
    assert sum(wary) > sum(bold)


def test_the_pool_is_scored_like_the_bundle_scores(task: Task, dataset: Dataset, tmp_path: Path) -> None:
    texts = make_dataset(task, 20, seed=5).texts
    with_pool = Dataset(dataset.schema, dataset.texts, dataset.targets, Pool(texts))
    report = trained(tmp_path / "one", with_pool)
    assert report.pool_scores is not None
    np.testing.assert_allclose(report.pool_scores, Predictor(report.bundle).predict_proba(texts), atol=1e-3)


def test_a_family_with_scores_of_its_own_for_the_pool_is_asked_for_them(
    task: Task, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = np.full((2, 3), 0.25, np.float32)
    own[:, 0] = 0.5
    give(monkeypatch, pool_scores=lambda self: own)
    report = trained(tmp_path / "one", replace(dataset, pool=Pool(("card", "exchange rate"))))
    learned = Predictor(report.bundle).manifest.calibration
    assert report.pool_scores is not None
    np.testing.assert_allclose(report.pool_scores, calibration.apply(learned, own), rtol=1e-5)


def test_a_family_that_tells_how_far_it_is_is_given_whom_to_tell(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    silent = fit_model(SPEC, dataset, none_of(dataset), None, told.append).model
    assert not hasattr(silent, "on_progress")
    give(monkeypatch, on_progress=None)
    for given in (told.append, None):
        assert fit_model(SPEC, dataset, none_of(dataset), None, given).model.on_progress == given  # type: ignore[attr-defined]


def test_runs_with_one_seed_are_equal(dataset: Dataset, tmp_path: Path) -> None:
    one, other = (trained(tmp_path / name, dataset) for name in ("one", "other"))
    assert one.thresholds == other.thresholds
    assert (one.bundle / "model.onnx").read_bytes() == (other.bundle / "model.onnx").read_bytes()


def test_a_bundle_unlike_its_model_is_not_published(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = TfidfModel.predict_proba
    monkeypatch.setattr(TfidfModel, "predict_proba", lambda self, texts: honest(self, texts) * 0.9)
    with pytest.raises(ParityError, match="differs from the trained one") as caught:
        trained(tmp_path / "one", dataset)
    assert caught.value.parity.max_difference > onnx.MAX_DIFFERENCE
    assert list(tmp_path.iterdir()) == []


def test_one_class_only_is_a_sentence(tmp_path: Path) -> None:
    data = make_dataset(SINGLE, 30)
    rows = data.targets[:, 0] > 0
    one = Dataset(data.schema, tuple(np.array(data.texts)[rows]), data.targets[rows])
    with pytest.raises(TrainingError, match="same label"):
        trained(tmp_path / "one", one)


def test_no_documents_and_no_words_are_sentences(task: Task, tmp_path: Path) -> None:
    data = make_dataset(task, 6)
    with pytest.raises(TrainingError, match="no labelled document"):
        trained(tmp_path / "one", none_of(data))
    with pytest.raises(TrainingError, match="has any text"):
        trained(tmp_path / "one", Dataset(data.schema, ("",) * 6, data.targets))


def test_the_manifest_is_plain_json_with_names_and_descriptions(dataset: Dataset, tmp_path: Path) -> None:
    report = trained(tmp_path / "one", dataset)
    content = json.loads((report.bundle / "manifest.json").read_text("utf-8"))
    assert content["schema"]["labels"][0] == {"key": "card", "name": "Card", "description": ""}
    assert content["format"] == 1
    assert content["created"]


@pytest.mark.parametrize("spec", [SPEC, RunSpec("tfidf", {"head": "svm"}), RunSpec("embedding")])
def test_copies_of_one_text_are_learned_and_calibrate_nothing(spec: RunSpec, tmp_path: Path) -> None:
    """They are one fold: a model that had seen a copy would seem to know the rest."""
    data = make_dataset(SINGLE, 60)
    alike = replace(data, texts=tuple(f"order {i}" for i in range(60)))
    embedder = WordEmbedder() if spec.family == "embedding" else None
    none = none_of(alike)
    given = {"tuning": none, "reporting": none, "embedder": embedder}
    report = train_and_package(spec, alike, tmp_path / "one", **given)
    assert report.details["tuned_on"] == "none"
    assert not Predictor(report.bundle).manifest.calibrated
