from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import WordEmbedder
from training.encoders.vectors import CachedEmbedder, FolderStore, text_key
from training.types import FloatArray, TrainingError


class CountingEmbedder(WordEmbedder):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.seen += texts
        return super().embed(texts)


def test_each_text_is_embedded_once_and_rows_keep_their_order(tmp_path: Path) -> None:
    encoder = CountingEmbedder()
    cached = CachedEmbedder(encoder, FolderStore(tmp_path))
    texts = ["my card", "a rate", "my card", "😀"]
    np.testing.assert_array_equal(cached.embed(texts), WordEmbedder().embed(texts))
    cached.embed(["a rate", "new"])
    assert encoder.seen == ["my card", "a rate", "😀", "new"]


def test_another_process_finds_what_was_stored(tmp_path: Path) -> None:
    CachedEmbedder(WordEmbedder(), FolderStore(tmp_path)).embed(["one", "two"])
    encoder = CountingEmbedder()
    vectors = CachedEmbedder(encoder, FolderStore(tmp_path)).embed(["two", "one"])
    assert encoder.seen == []
    np.testing.assert_array_equal(vectors, WordEmbedder().embed(["two", "one"]))


def test_vectors_of_another_encoder_are_not_used(tmp_path: Path) -> None:
    CachedEmbedder(WordEmbedder(), FolderStore(tmp_path)).embed(["one"])
    other = CountingEmbedder()
    other.fingerprint = "1" * 64
    CachedEmbedder(other, FolderStore(tmp_path)).embed(["one"])
    assert other.seen == ["one"]


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put_many("f", {text_key("one"): np.ones(3, np.float32)})
    broken = tmp_path / "f" / "broken.npz"
    broken.write_bytes(b"PK")
    with pytest.raises(TrainingError, match=r"broken\.npz"):
        FolderStore(tmp_path).get_many("f", ["any"])


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[float] = []
    texts = [f"text {i}" for i in range(300)]
    CachedEmbedder(WordEmbedder(), FolderStore(tmp_path), on_progress=told.append).embed(texts)
    assert told == [pytest.approx(256 / 300), 1.0]
