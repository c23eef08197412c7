"""The encoder: found, refused, exported. Two tests run the packaged checkpoint; the export is kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder
from training.encoders import checkpoints, export
from training.encoders.checkpoints import PackagedCheckpoint, find_checkpoint
from training.encoders.export import DEFAULT_ENCODER, prepare_encoder
from training.preprocess.agreement import LEAST_COSINE, mean_cosine
from training.preprocess.encoder import (
    EncoderConfig,
    EncoderPreprocessor,
    OnnxEncoder,
    against_original,
    read_config,
    write_config,
)
from training.types import FloatArray, TrainingError


@pytest.fixture(scope="session")
def encoder_folder(request: pytest.FixtureRequest) -> Path:
    """The default encoder, exported on the first run of all and kept between runs."""
    return prepare_encoder(DEFAULT_ENCODER, request.config.cache.mkdir("winnow-encoders"))


def write_checkpoint(folder: Path, **files: object) -> Path:
    folder.mkdir(exist_ok=True)
    content = {"config": {"model_type": "bert"}} | files
    for name, value in content.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


def test_a_folder_is_a_checkpoint(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "mine", sentence_bert_config={"max_seq_length": 128})
    found = find_checkpoint(str(folder))
    assert (found.folder, found.pooling, found.max_length) == (folder, "mean", 128)


def test_it_never_runs_a_checkpoints_own_code(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "mine", config={"auto_map": {"AutoModel": "evil.Model"}})
    with pytest.raises(TrainingError, match="its own code"):
        find_checkpoint(str(folder))


def test_it_reads_no_pickled_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "mine")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(TrainingError, match=r"no model\.safetensors"):
        find_checkpoint(str(folder))


def test_it_refuses_parts_that_it_cannot_export(tmp_path: Path) -> None:
    modules = [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]
    with pytest.raises(TrainingError, match="Dense"):
        find_checkpoint(str(write_checkpoint(tmp_path / "mine", modules=modules)))


def test_packaged_weights_that_were_changed_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "fakepack"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    write_checkpoint(package / "model")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = PackagedCheckpoint("fake-pack", "fakepack", "model", "0" * 64)
    monkeypatch.setitem(checkpoints.PACKAGES, "org/fake", entry)
    with pytest.raises(TrainingError, match="fake-pack does not hold the published weights"):
        find_checkpoint("org/fake")


def test_a_name_that_leads_nowhere_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(TrainingError, match="Give the path of a folder"):
        find_checkpoint("nobody/has-this-encoder")
    with pytest.raises(TrainingError, match="no encoder at"):
        find_checkpoint("/no/such/folder here")


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="int8, fp32"):
        prepare_encoder(DEFAULT_ENCODER, tmp_path, precision="int4")


def test_a_folder_without_an_encoder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no exported encoder"):
        OnnxEncoder(tmp_path)


def test_the_folder_is_named_by_its_graph_and_found_again(encoder_folder: Path) -> None:
    encoder = OnnxEncoder(encoder_folder)
    assert encoder.fingerprint == encoder_folder.name
    assert prepare_encoder(DEFAULT_ENCODER, encoder_folder.parent) == encoder_folder
    assert sorted(path.name for path in encoder_folder.iterdir()) == [
        "encoder.json",
        "model.onnx",
        "tokenizer.json",
    ]
    assert not list(encoder_folder.parent.glob(".export-*"))


def test_vectors_mean_something_and_do_not_depend_on_their_neighbours(encoder_folder: Path) -> None:
    encoder = OnnxEncoder(encoder_folder)
    texts = ["Where is my card?", "My card has not arrived yet", "I love cats", "", "long " * 600]
    vectors = encoder.embed(texts)
    assert vectors.shape == (5, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    np.testing.assert_array_equal(encoder.embed(texts[1:2])[0], vectors[1])
    assert encoder.cut([*texts, "long " * 3_000]) == 1


def test_a_head_refuses_vectors_of_another_encoder(encoder_folder: Path, tmp_path: Path) -> None:
    EncoderPreprocessor("f" * 64).save(tmp_path)
    with pytest.raises(TrainingError, match="Train it again"):
        list(EncoderPreprocessor.load(tmp_path, encoder=encoder_folder).feeds(["text"]))
    with pytest.raises(TrainingError, match="not on this machine"):
        list(EncoderPreprocessor.load(tmp_path).feeds(["text"]))


class Crooked(WordEmbedder):
    """Gives each text the vector of another one."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        return super().embed([f"{text} and nothing of the kind" for text in texts])


def test_the_gate_measures_how_far_two_encoders_are_apart() -> None:
    assert mean_cosine(WordEmbedder(), WordEmbedder(), ["a card"]) == pytest.approx(1)
    assert mean_cosine(Crooked(), WordEmbedder()) < LEAST_COSINE


@pytest.mark.parametrize(("cosine", "precision"), [(0.99, "int8"), (0.5, "fp32"), (float("nan"), "fp32")])
def test_an_int8_encoder_that_says_otherwise_is_replaced_by_its_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cosine: float, precision: str
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in ("model.onnx", "small.onnx", "tokenizer.json"):
        (raw / name).write_text(name)
    monkeypatch.setattr(export, "_quantize", lambda raw, target: raw / "small.onnx")
    monkeypatch.setattr(export, "OnnxEncoder", lambda folder: folder)
    monkeypatch.setattr(export, "mean_cosine", lambda small, full, texts: cosine)
    original = EncoderConfig("mine", 3, 128, "fp32")
    config = read_config(export._chosen(raw, original, tmp_path, "int8", ["a text"]))
    assert config.precision == precision
    assert ("FP32 one is used" in config.note) == (precision == "fp32")
    measured = (cosine, len("model.onnx")) if precision == "int8" else (None, None)
    assert (config.cosine, config.original_bytes) == measured


def test_what_int8_costs_an_encoder_is_a_sentence_where_it_was_kept(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"0" * 230_000)
    before = {"name": "mine", "dimension": 3, "max_length": 128, "precision": "int8"}
    (tmp_path / "encoder.json").write_text(json.dumps(before))
    config = read_config(tmp_path)
    assert against_original(tmp_path, config) == ""
    write_config(replace(config, cosine=0.9876, original_bytes=900_000), tmp_path)
    assert against_original(tmp_path, read_config(tmp_path)) == (
        "The encoder is INT8: mean cosine 0.988 with its FP32 original, 0.2 of 0.9 MB."
    )


def test_the_default_encoder_passes_the_gate(encoder_folder: Path) -> None:
    config = read_config(encoder_folder)
    assert (config.precision, config.note) == ("int8", "")
