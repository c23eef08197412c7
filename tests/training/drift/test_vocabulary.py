from __future__ import annotations

import numpy as np

from training.drift.vocabulary import Vocabulary

KNOWN = Vocabulary.of(["Where is my card?", "Где моя карта"])


def test_the_share_of_words_that_were_never_seen() -> None:
    shares = KNOWN.unknown(["my card", "my wallet", "wallet", "my wallet is where"])
    assert shares.tolist() == [0.0, 0.5, 1.0, 0.25]


def test_case_and_signs_are_no_new_words() -> None:
    assert KNOWN.unknown(["WHERE is MY card!!! ...", "где МОЯ карта"]).tolist() == [0.0, 0.0]


def test_a_text_without_words_has_none_that_are_unknown() -> None:
    assert KNOWN.unknown(["", "  ", "?!"]).tolist() == [0.0, 0.0, 0.0]
    assert KNOWN.unknown([]).shape == (0,)


def test_where_nothing_is_known_every_word_is_new() -> None:
    assert Vocabulary.of([]).unknown(["my card"]).tolist() == [1.0]


def test_it_is_kept_as_bytes() -> None:
    kept = Vocabulary.load(KNOWN.dump())
    assert np.array_equal(kept.checksums, KNOWN.checksums)
    assert len(KNOWN.dump()) == 4 * 7
