"""Which piece speaks for which word, whatever the length of the text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.preprocess.tokens import read_tokenizer
from training.preprocess.word_pieces import SHAPES, PieceSettings, WordPiecePreprocessor


@pytest.fixture
def pieces(checkpoint: str) -> WordPiecePreprocessor:
    tokenizer = read_tokenizer(Path(checkpoint) / "tokenizer.json")
    return WordPiecePreprocessor(tokenizer, PieceSettings("words", max_length=12, overlap=4))


def test_each_word_of_a_long_text_is_read_in_one_window_and_away_from_its_edge(
    pieces: WordPiecePreprocessor,
) -> None:
    words = ["please", "help", "my", "card", "today"] * 7
    (feed,) = pieces.feeds([" ".join(words)])
    ids = feed.feed["input_ids"]
    assert ids.shape[1] == 12
    (alone,) = pieces.feeds(["please help my card today"])
    known = dict(zip(words, alone.feed["input_ids"][0, 1:-1].tolist(), strict=False))
    assert [known[word] for word in words] == ids.reshape(-1)[feed.rows].tolist()
    columns = feed.rows[8:-8] % 12
    assert columns.min() > 1
    assert columns.max() < 10


def test_a_text_without_words_has_a_window_and_nothing_to_say(pieces: WordPiecePreprocessor) -> None:
    (feed,) = pieces.feeds([" "])
    assert (feed.feed["input_ids"].shape, feed.places, feed.rows.tolist()) == ((1, 2), [], [])


def test_how_a_word_is_written_is_told_of_its_first_piece_and_the_rest(
    pieces: WordPiecePreprocessor,
) -> None:
    (feed,) = pieces.feeds(["card Card CARD cArd can't"])
    assert feed.feed["shapes"][0].tolist() == [0, 0, 1, 2, 3, 0, SHAPES // 2, SHAPES // 2, 0]


def test_what_is_saved_reads_texts_alike(pieces: WordPiecePreprocessor, tmp_path: Path) -> None:
    pieces.save(tmp_path)
    text = "Please help \ud83d my card"
    (one,), (other,) = pieces.feeds([text]), WordPiecePreprocessor.load(tmp_path).feeds([text])
    np.testing.assert_array_equal(one.feed["input_ids"], other.feed["input_ids"])
    assert one.rows.tolist() == other.rows.tolist()
