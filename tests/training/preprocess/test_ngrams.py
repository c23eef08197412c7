from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.preprocess.ngrams import NgramPreprocessor, NgramSettings, normalise

TEXTS = ("Lost my card", "card is lost!", "Где моя карта?", "हिन्दी में", "💳 gone")


def test_words_keep_combining_marks() -> None:
    assert NgramSettings(word_max=1).words(normalise("हिन्दी में।")) == ["हिन्दी", "में।"]


def test_words_are_counted_alone_and_in_pairs() -> None:
    assert NgramSettings().words("i lost it") == ["i", "lost", "it", "i lost", "lost it"]


def test_character_grams_stay_within_padded_tokens() -> None:
    assert NgramSettings(char_min=2, char_max=3).chars("ab c") == [
        " a",
        "ab",
        "b ",
        " ab",
        "ab ",
        " c",
        "c ",
        " c ",
    ]


@pytest.mark.parametrize(
    ("one", "other"), [("CARD", "card"), ("ﬁne", "fine"), ("ГДЕ", "где"), ("Straße", "STRASSE")]
)
def test_look_alikes_count_as_one(one: str, other: str) -> None:
    assert normalise(one).replace("ß", "ss") == normalise(other)


def test_word_and_character_blocks_each_have_unit_length() -> None:
    ngrams = NgramPreprocessor.fit(TEXTS, NgramSettings())
    _, values = ngrams.weights("lost card card")
    assert sum(value * value for value in values) == pytest.approx(2)


def test_a_loaded_preprocessor_makes_the_same_feeds(tmp_path: Path) -> None:
    ngrams = NgramPreprocessor.fit(TEXTS, NgramSettings())
    ngrams.save(tmp_path)
    loaded = NgramPreprocessor.load(tmp_path)
    for one, other in zip(ngrams.feeds(TEXTS), loaded.feeds(TEXTS), strict=True):
        np.testing.assert_array_equal(one["ids"], other["ids"])
        np.testing.assert_array_equal(one["values"], other["values"])


def test_the_sparse_matrix_holds_what_the_feeds_hold() -> None:
    ngrams = NgramPreprocessor.fit(TEXTS, NgramSettings())
    data, indices, ends = ngrams.sparse(TEXTS)
    for i, feed in enumerate(ngrams.feeds(TEXTS)):
        np.testing.assert_array_equal(indices[ends[i] : ends[i + 1]], feed["ids"])
        np.testing.assert_array_equal(data[ends[i] : ends[i + 1]], feed["values"][0])


def test_the_most_frequent_features_are_kept_and_words_get_their_half() -> None:
    ngrams = NgramPreprocessor.fit(TEXTS, NgramSettings(max_features=10))
    words, chars = ngrams.document_counts
    assert (len(words), len(chars)) == (5, 5)
    assert {"card", "lost"} <= set(words)


@pytest.mark.parametrize("text", ["", "   ", "zzz", "\u0000", "\ud800"])
def test_a_text_of_unknown_features_feeds_one_zero(text: str) -> None:
    feeds = list(NgramPreprocessor.fit(("card",), NgramSettings()).feeds([text]))
    assert feeds[0]["values"].tolist() == [[0.0]]
