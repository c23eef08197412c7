"""Vectors of words: their layers, windows, and the store that keeps them within a budget."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.families.spans_made import LetterEncoder
from training.encoders.word_export import prepare_word_encoder
from training.encoders.word_store import CachedWordEncoder, WordFolder
from training.preprocess import word_encoder
from training.preprocess.word_encoder import OnnxWordEncoder
from training.preprocess.word_features import SHAPES, WordFeaturePreprocessor, features, shapes
from training.preprocess.words import words
from training.types import TrainingError


@pytest.fixture(scope="module")
def encoder(checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> OnnxWordEncoder:
    root = tmp_path_factory.mktemp("encoders")
    folder = prepare_word_encoder(root, checkpoint)
    assert prepare_word_encoder(root, checkpoint) == folder
    return OnnxWordEncoder(folder)


def vectors(encoder: OnnxWordEncoder, *texts: str) -> list[np.ndarray]:
    return list(encoder.vectors(texts, [words(text) for text in texts]))


def test_a_text_has_the_same_vectors_whatever_stands_beside_it(encoder: OnnxWordEncoder) -> None:
    alone = vectors(encoder, "please help my card")[0]
    beside = vectors(encoder, "the rate today", "please help my card", "", "card please my euro")
    assert alone.shape == (4, encoder.dimension)
    np.testing.assert_allclose(alone, beside[1], atol=2e-3)
    assert beside[2].shape == (0, encoder.dimension)


def test_every_word_of_a_long_text_and_half_a_character_has_a_vector(encoder: OnnxWordEncoder) -> None:
    text = "please help my card today " * 200 + "\ud83d " + "x" * 5_000
    found = vectors(encoder, text)[0]
    assert len(found) == 1_002
    assert np.abs(found.astype(np.float32)).sum(axis=1).all()


def test_words_behind_the_most_that_are_read_have_zeros(
    encoder: OnnxWordEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_encoder, "MAX_WORDS", 2)
    found = vectors(encoder, "please help my card")[0]
    assert found[:2].any(axis=1).all()
    assert not found[2:].any()


def test_a_folder_that_is_no_encoder_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Prepare it again"):
        OnnxWordEncoder(tmp_path)


def test_a_store_makes_vectors_once_and_removes_what_was_used_longest_ago(tmp_path: Path) -> None:
    made: list[str] = []

    class Counting(LetterEncoder):
        def vectors(self, texts, cuts):  # type: ignore[no-untyped-def]
            made.extend(texts)
            return super().vectors(texts, cuts)

    one = 5 * LetterEncoder.dimension * 2  # bytes of a text of five words
    texts = [f"a b c d {i}" for i in range(4)]
    for text in (*texts[:3], texts[2], texts[1], texts[0]):
        store = CachedWordEncoder(Counting(), WordFolder(tmp_path, budget=2 * one + 200))
        (found,) = store.vectors([text], [words(text)])
        np.testing.assert_array_equal(found, LetterEncoder().vectors([text], [words(text)])[0])
    assert made == [texts[0], texts[1], texts[2], texts[0]]


def test_features_are_all_layers_both_neighbours_and_the_shape() -> None:
    own = np.arange(6, dtype=np.float16).reshape(2, 3)
    found = features(own, np.ones((2, 1), np.float32), 3)
    assert found.tolist() == [[0, 1, 2, 0, 4, 1], [3, 4, 5, 1, 0, 1]]
    assert features(own[:0], np.ones((0, 1), np.float32), 3).shape == (0, 6)


def test_shapes_tell_capitals_digits_and_signs_apart() -> None:
    texts = ["NASA", "A", "Anna", "iPad", "42", "mp3", "!", "@bob", "#tag", "http://x", "it's", "é", "don"]
    rows = {text: shapes(text, [(0, len(text))])[0].tobytes() for text in texts}
    assert len(set(rows.values())) == len(texts)
    assert shapes("", []).shape == (0, SHAPES)


def test_vectors_of_another_encoder_are_refused() -> None:
    with pytest.raises(TrainingError, match="Train it again"):
        list(WordFeaturePreprocessor("words", "2" * 64).feeds(["a"], encoder=LetterEncoder()))
    with pytest.raises(TrainingError, match="not on this machine"):
        list(WordFeaturePreprocessor("words", "2" * 64).feeds(["a"]))
