"""The transformer family on a tiny checkpoint: when it stops, what its bundle promises, what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from tests.training.families.checkpoints import write_tiny_checkpoint
from tests.training.families.tuning import Params, none_of, packaged, tuned
from training.bundles.predictor import Predictor
from training.export import onnx
from training.families.transformer import finetune
from training.families.transformer import model as transformer
from training.families.transformer.model import TransformerModel
from training.figures.evaluate import macro_f1
from training.runs import pipeline
from training.runs.pipeline import train_and_package
from training.tasks import MULTI, SINGLE, single
from training.types import Dataset, FloatArray, Int8Twin, RunSpec, Task, Taught, TrainingError


def reached(model: TransformerModel, data: Dataset) -> float:
    cuts = np.full(len(data.schema), 0.4, np.float32)
    found = macro_f1(data.targets, data.schema.task.decide(model.predict_proba(data.texts), cuts))
    assert found is not None
    return found


# Stopping, and what is held back for it


def test_it_keeps_the_epoch_that_was_best_on_valid(params: Params) -> None:
    data, valid = make_dataset(SINGLE, 60), make_dataset(SINGLE, 120, seed=1)
    model = tuned(data, params, valid)
    history = model.details_["valid_macro_f1"]
    assert model.details_["epochs"] == 1 + int(np.argmax(history))
    assert reached(model, valid) == pytest.approx(max(history))


def test_it_stops_where_epochs_bring_no_more(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    falling = iter([0.5, 0.7, 0.6, 0.7, 0.1, 0.1])
    monkeypatch.setattr(finetune, "macro_f1", lambda *_: next(falling))
    model = tuned(make_dataset(SINGLE, 30), params, make_dataset(SINGLE, 100, seed=1))
    assert model.details_["valid_macro_f1"] == [0.5, 0.7, 0.6, 0.7]
    assert model.details_["epochs"] == 2
    assert "no better macro-F1 in 2 epochs" in model.details_["stopped"]


def test_a_valid_too_small_to_tell_epochs_apart_is_not_asked(params: Params) -> None:
    model = tuned(make_dataset(SINGLE, 30), params, make_dataset(SINGLE, 20, seed=1))
    assert model.details_["valid_macro_f1"] == [None] * 6


def test_without_valid_a_tenth_is_held_back_scored_unseen_and_then_learned(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer, "_ENOUGH_TO_STOP", 9)
    data = make_dataset(SINGLE, 90)
    model = tuned(data, params)
    held = model.held_back()
    assert held is not None
    assert held[1].shape == (len(held[0]), 3)
    assert 9 <= len(held[0]) <= 10
    alone = tuned(data, params | {"refit": False})
    np.testing.assert_array_equal(held[1], alone.predict_proba(tuple(data.texts[i] for i in held[0])))
    assert not np.array_equal(model.predict_proba(data.texts[:9]), alone.predict_proba(data.texts[:9]))


@pytest.mark.parametrize("others", [0, 30])
def test_texts_that_differ_in_digits_alone_are_learned(
    params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, others: int
) -> None:
    """They share a fold, and nothing was left to learn from where that one was held back."""
    monkeypatch.setattr(transformer, "_ENOUGH_TO_STOP", 9)
    data = make_dataset(SINGLE, 120)
    texts = data.texts[:others] + tuple(f"the card {i} of {i}" for i in range(120 - others))
    report = packaged(replace(data, texts=texts), params | {"epochs": 1}, tmp_path)
    assert report.labelled == 120
    assert bool(report.details["tuned_documents"]) is bool(others)


def test_what_was_held_back_saves_the_folds(
    params: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(transformer, "_ENOUGH_TO_STOP", 9)
    monkeypatch.setattr(single, "ENOUGH_FOR_TEMPERATURE", 9)
    monkeypatch.setattr(pipeline, "assign_folds", lambda *_: pytest.fail("it was fitted once more"))
    report = packaged(make_dataset(SINGLE, 90), params, tmp_path)
    assert report.details["tuned_documents"] in (9, 10)


def test_a_teachers_scores_are_learned_and_never_held_back(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transformer, "_ENOUGH_TO_STOP", 3)
    data, pool = make_dataset(SINGLE, 30), make_dataset(SINGLE, 90, seed=4)
    taught = Taught(pool.texts, 0.9 * pool.targets + 0.1 / 3, pool.targets)
    params |= {"epochs": 15}
    student = TransformerModel(**params).fit_softly(replace(data, taught=taught), valid=none_of(data))
    held = student.held_back()
    assert held is not None
    assert held[0].max() < 30
    unseen = make_dataset(SINGLE, 60, seed=1)
    assert reached(student, unseen) > reached(tuned(data, params | {"epochs": 5}), unseen)


# The bundle


def test_int8_is_published_where_it_decides_alike(params: Params, tmp_path: Path) -> None:
    data, unseen = make_dataset(SINGLE, 90), make_dataset(SINGLE, 60, seed=1)
    params |= {"epochs": 15}
    halves = {"tuning": make_dataset(SINGLE, 120, seed=2), "reporting": unseen}
    exact = packaged(data, params, tmp_path / "fp32", **halves)
    small = packaged(data, params | {"int8": True}, tmp_path / "int8", **halves)
    manifest = Predictor(small.bundle).manifest
    assert (manifest.precision, small.parity.precision) == ("int8", "int8")
    assert 0 < small.parity.max_difference < 0.1
    assert "INT8 against FP32: 100.0% of the decisions on 120 texts are the same" in small.parity.note
    assert manifest.figures["parity"]["note"] == small.parity.note
    assert Predictor(exact.bundle).manifest.precision == "fp32"
    graphs = [(report.bundle / "model.onnx").stat().st_size for report in (small, exact)]
    assert graphs[0] < graphs[1]
    twin = small.parity.twin
    assert twin is not None
    assert (twin.documents, twin.held_out, exact.parity.twin) == (120, True, None)
    assert (twin.int8.graph_bytes, twin.fp32.graph_bytes) == tuple(graphs)
    assert twin.macro_f1_loss == pytest.approx(0.0, abs=0.01)
    assert min(twin.int8.p50_ms, twin.fp32.p50_ms) > 0
    assert Int8Twin.from_json(manifest.figures["parity"]["twin"]) == twin


@pytest.mark.parametrize("tuned", [0, 12, 120])
def test_int8_is_not_chosen_by_what_reports(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tuned: int
) -> None:
    judged: list[Dataset] = []
    real = onnx.compare_int8

    def compare(exact: Path, small: Path, documents: Dataset, *rest: Any) -> Any:
        judged.append(documents)
        return real(exact, small, documents, *rest)

    monkeypatch.setattr(onnx, "compare_int8", compare)
    data, tuning = make_dataset(SINGLE, 30), make_dataset(SINGLE, tuned, seed=2)
    packaged(
        data, params | {"int8": True}, tmp_path, tuning=tuning, reporting=make_dataset(SINGLE, 60, seed=1)
    )
    assert {documents.texts for documents in judged} == {
        tuning.texts if tuned == 120 else tuning.texts + data.texts
    }


@pytest.mark.parametrize(("decisions", "lost"), [(0.97, 0.0), (1.0, 0.02), (float("nan"), 0.0)])
def test_int8_that_decides_otherwise_is_not_published(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decisions: float, lost: float
) -> None:
    real = onnx.compare_int8

    def compare(*given: Any) -> tuple[Any, Int8Twin]:
        parity, twin = real(*given)
        int8, fp32 = replace(twin.int8, macro_f1=0.8 - lost), replace(twin.fp32, macro_f1=0.8)
        return replace(parity, same_decisions=decisions), replace(twin, int8=int8, fp32=fp32)

    monkeypatch.setattr(onnx, "compare_int8", compare)
    report = packaged(make_dataset(SINGLE, 30), params | {"int8": True}, tmp_path)
    manifest = json.loads((report.bundle / "manifest.json").read_text("utf-8"))
    assert manifest["precision"] == "fp32"
    assert "INT8 did not pass" in manifest["figures"]["parity"]["note"]
    twin = Int8Twin.from_json(manifest["figures"]["parity"]["twin"])
    assert (twin.documents, twin.held_out) == (30, False)  # nothing is held out here
    assert twin.macro_f1_loss == pytest.approx(lost)
    assert twin.fp32.graph_bytes == (report.bundle / "model.onnx").stat().st_size > twin.int8.graph_bytes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle"]


def test_what_decides_otherwise_is_tried_with_its_narrowing_matrices_in_fp32(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sizes = onnx.compare_int8, []

    def compare(*given: Any) -> tuple[Any, Int8Twin]:
        parity, twin = real(*given)
        sizes.append(twin.int8.graph_bytes)
        return replace(parity, same_decisions=0.97 if len(sizes) == 1 else 0.99), twin

    monkeypatch.setattr(onnx, "compare_int8", compare)
    report = packaged(make_dataset(MULTI, 60), params | {"int8": True}, tmp_path)
    assert (report.parity.precision, report.parity.same_decisions) == ("int8", 0.99)
    assert report.parity.note.startswith("INT8 but for narrowing matrices against FP32: 99.0%")
    assert sizes[0] < sizes[1] == (report.bundle / "model.onnx").stat().st_size


def test_a_text_is_scored_alike_whatever_stands_beside_it(params: Params, tmp_path: Path) -> None:
    data = make_dataset(MULTI, 60)
    predictor = Predictor(packaged(data, params | {"int8": True}, tmp_path).bundle)
    texts = ("card", "my card and the iban again please", "", "x " * 300)
    together = predictor.predict_raw(texts)
    alone: FloatArray = np.concatenate([predictor.predict_raw([text]) for text in texts])
    np.testing.assert_array_equal(together, alone)


# Bad input


def test_one_label_and_no_documents_and_no_words_are_sentences(params: Params) -> None:
    data = make_dataset(SINGLE, 30)
    one = np.zeros_like(data.targets)
    one[:, 0] = 1
    with pytest.raises(TrainingError, match="same label"):
        tuned(Dataset(data.schema, data.texts, one), params)
    with pytest.raises(TrainingError, match="no labelled document"):
        tuned(none_of(data), params)
    with pytest.raises(TrainingError, match="has any text"):
        tuned(Dataset(data.schema, ("",) * 30, data.targets), params)


def test_checkpoints_that_are_missing_or_bring_code_are_refused(params: Params, tmp_path: Path) -> None:
    data = make_dataset(SINGLE, 30)
    with pytest.raises(TrainingError, match="needs a folder with a config"):
        tuned(data, params | {"checkpoint": "/no/such/folder here"})
    folder = write_tiny_checkpoint(tmp_path / "evil", ("card",))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(TrainingError, match="its own code"):
        tuned(data, params | {"checkpoint": str(folder)})
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match="cannot be read"):
        tuned(data, params | {"checkpoint": str(folder)})


def test_a_student_may_have_fewer_layers(
    params: Params, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(SINGLE, 90)
    words = {word for text in data.texts for word in text.lower().split()}
    deep = params | {"checkpoint": str(write_tiny_checkpoint(tmp_path / "deep", sorted(words), layers=3))}
    spec = RunSpec("transformer", deep | {"layers": 2, "epochs": 15})
    report = train_and_package(
        spec, data, tmp_path / "bundle", tuning=none_of(data), reporting=make_dataset(SINGLE, 60, seed=1)
    )
    assert report.details["layers"] == 2
    assert "were not used" not in capfd.readouterr().err  # they were not meant to be
    assert report.evaluation.macro_f1 is not None
    assert report.evaluation.macro_f1 > 0.8
    original = json.loads((report.bundle / "original" / "config.json").read_text("utf-8"))
    assert original["num_hidden_layers"] == 2
    with pytest.raises(TrainingError, match="has 3 layers, so 4 cannot be kept"):
        tuned(data, deep | {"layers": 4})


def test_many_labels_fit(params: Params) -> None:
    data = make_dataset(SINGLE, 30)
    labels = tuple(replace(data.schema.labels[0], key=str(j), name=str(j)) for j in range(500))
    targets = np.zeros((30, 500), np.float32)
    targets[np.arange(30), np.arange(30) * 7] = 1
    model = tuned(Dataset(replace(data.schema, labels=labels), data.texts, targets), params)
    assert model.predict_proba(("card",)).shape == (1, 500)


@pytest.mark.parametrize("imbalance", ["balanced", "focal", "undersample", "augment"])
def test_it_learns_whatever_is_done_about_rare_labels(params: Params, task: Task, imbalance: str) -> None:
    model = tuned(make_dataset(task, 90), params | {"epochs": 15, "imbalance": imbalance})
    assert reached(model, make_dataset(task, 60, seed=1)) > 0.6


def test_it_cannot_mix_vectors(params: Params) -> None:
    with pytest.raises(TrainingError, match="no imbalance 'smote'"):
        tuned(make_dataset(SINGLE, 30), params | {"imbalance": "smote"})
