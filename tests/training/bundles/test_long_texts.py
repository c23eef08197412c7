"""Texts longer than an encoder's window: read in windows that overlap, up to a cap, and counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

from tests.training.conftest import WordEmbedder, make_dataset
from training.encoders.vectors import CachedEmbedder, FolderStore
from training.families.embedding.model import EmbeddingModel
from training.preprocess.encoder import CONFIG_FILE, EncoderConfig, OnnxEncoder, write_config
from training.preprocess.windows import Reading, reading_shares
from training.tasks import SINGLE
from training.types import Dataset, FloatArray, TrainingError

WORDS = [f"w{i}" for i in range(40)]
ROOM, OVERLAP, WINDOWS = 14, 4, 3  # words in a window of 16 tokens
WHOLE = ROOM + (WINDOWS - 1) * (ROOM - OVERLAP)  # words in all windows together


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An encoder whose token vectors are the rows of a table, so that a test can say what it must yield."""
    return write_encoder(tmp_path / "encoder", pooling="mean")


def write_encoder(folder: Path, *, pooling: str) -> Path:
    onnx = pytest.importorskip("onnx")
    folder.mkdir()
    rows = onnx.numpy_helper.from_array(table(), "table")
    ids = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", "tokens"])
    hidden = onnx.helper.make_tensor_value_info("hidden", onnx.TensorProto.FLOAT, ["batch", "tokens", 8])
    node = onnx.helper.make_node("Gather", ["table", "input_ids"], ["hidden"])
    graph = onnx.helper.make_graph([node], "lookup", [ids], [hidden], [rows])
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "model.onnx")
    tokenizer().save(str(folder / "tokenizer.json"))
    write_config(
        EncoderConfig("table", 8, 16, "fp32", pooling=pooling, overlap=OVERLAP, max_windows=WINDOWS), folder
    )
    return folder


def tokenizer() -> Tokenizer:
    found = Tokenizer(WordLevel({word: i for i, word in enumerate(["[CLS]", "[SEP]", "?", *WORDS])}, "?"))
    found.pre_tokenizer = WhitespaceSplit()
    found.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)]
    )
    return found


def table() -> FloatArray:
    return np.random.default_rng(0).normal(size=(len(WORDS) + 3, 8)).astype(np.float32)


def text_of(words: int) -> str:
    return " ".join(WORDS[i % len(WORDS)] for i in range(words))


def unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)


def mean_of(encoder: OnnxEncoder, starts: Sequence[int]) -> FloatArray:
    """Return what windows of `ROOM` words from these words on must yield together."""
    rows, ends = table(), np.array([0, 1])
    ids = [3 + np.arange(start, start + ROOM) % len(WORDS) for start in starts]
    return unit(np.mean([rows[np.concatenate([ends, window])].mean(axis=0) for window in ids], axis=0))


@pytest.mark.parametrize("words", [0, 1, ROOM])
def test_a_text_of_one_window_is_read_as_if_there_were_no_windows(folder: Path, words: int) -> None:
    ids = tokenizer().encode(text_of(words)).ids
    np.testing.assert_array_equal(OnnxEncoder(folder).embed([text_of(words)])[0], unit(table()[ids].mean(0)))


def test_a_longer_text_is_the_mean_of_its_windows_to_its_last_word(folder: Path) -> None:
    encoder = OnnxEncoder(folder)
    text = text_of(ROOM + 5)
    np.testing.assert_allclose(encoder.embed([text])[0], mean_of(encoder, [0, 5]), atol=1e-6)
    changed = text.rsplit(" ", 1)[0] + " w39"
    assert not np.allclose(encoder.embed([text]), encoder.embed([changed]))
    assert np.linalg.norm(encoder.embed([text])[0]) == pytest.approx(1)


def test_the_first_token_speaks_for_each_window_where_the_encoder_is_made_so(tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_encoder(tmp_path / "cls", pooling="cls"))
    np.testing.assert_allclose(encoder.embed([text_of(30)])[0], unit(table()[0]), atol=1e-6)


def test_what_is_behind_the_last_window_is_not_read_but_counted(folder: Path) -> None:
    encoder = OnnxEncoder(folder)
    whole, longer = text_of(WHOLE), text_of(WHOLE + 1)
    starts = [i * (ROOM - OVERLAP) for i in range(WINDOWS)]
    for text in (whole, longer):
        np.testing.assert_allclose(encoder.embed([text])[0], mean_of(encoder, starts), atol=1e-6)
    assert encoder.reading([text_of(ROOM), text_of(ROOM + 1), whole, longer]) == Reading(4, 3, 1)
    assert encoder.cut([whole, longer]) == 1


def test_a_text_of_a_megabyte_costs_no_more_than_all_windows(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = OnnxEncoder(folder)
    seen: list[int] = []
    pooled = encoder._pooled
    monkeypatch.setattr(encoder, "_pooled", lambda window: (seen.append(len(window)), pooled(window))[1])
    encoder.embed([text_of(300_000)])
    assert seen == [ROOM + 2] * WINDOWS


def test_an_encoder_that_says_nothing_of_windows_has_the_usual_ones(folder: Path) -> None:
    content = json.loads((folder / CONFIG_FILE).read_text())
    del content["overlap"], content["max_windows"]
    (folder / CONFIG_FILE).write_text(json.dumps(content))
    assert OnnxEncoder(folder).reading([text_of(ROOM * 6), text_of(ROOM * 8)]) == Reading(2, 2, 1)


def test_a_tokenizer_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"no usable tokenizer\.json"):
        OnnxEncoder(folder)


def test_the_run_reports_the_shares_of_windowed_and_truncated_texts(folder: Path, tmp_path: Path) -> None:
    dataset = make_dataset(SINGLE, 8)
    texts = (text_of(ROOM + 1), text_of(WHOLE + 1), *dataset.texts[2:])
    embedder = CachedEmbedder(OnnxEncoder(folder), FolderStore(tmp_path / "vectors"))
    long = Dataset(dataset.schema, texts, dataset.targets)
    model = EmbeddingModel(embedder=embedder).fit(long, valid=long)
    assert (model.details_["windowed_texts"], model.details_["truncated_texts"]) == (0.25, 0.125)


def test_shares_are_taken_of_texts_spread_over_all_of_many(folder: Path) -> None:
    texts = [text_of(ROOM + 1 if i < 2_500 else 1) for i in range(5_000)]
    assert reading_shares(OnnxEncoder(folder), texts) == {"windowed_texts": 0.5, "truncated_texts": 0.0}
    assert reading_shares(OnnxEncoder(folder), []) == {}


def test_an_embedder_that_does_not_tell_reports_no_shares(tmp_path: Path) -> None:
    assert reading_shares(WordEmbedder(), ["a text"]) == {}
    assert reading_shares(CachedEmbedder(WordEmbedder(), FolderStore(tmp_path)), ["a text"]) == {}
