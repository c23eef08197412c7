"""Where words begin and end, in code points, whatever the script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.preprocess.words import WAYS, blank_separated, characters, snapped, words

FAMILY = "👩‍👩‍👧"


def pieces(text: str) -> list[str]:
    return [text[start:end] for start, end in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("can't pay 3,000.50 now.", "can't|pay|3,000.50|now|."),
        ("U.S.A. vs a.3", "U.S.A|.|vs|a|.|3"),
        ("@user #tag e-mail", "@|user|#|tag|e|-|mail"),
        ("Zoë’s naïve — café", "Zoë’s|naïve|—|café"),
        ("cafe\u0301s", "cafe\u0301s"),
        (f"a{FAMILY}b 👍🏽🇩🇪🇫🇷", f"a|{FAMILY}|b|👍🏽|🇩🇪|🇫🇷"),
        ("東京タワーへ", "東|京|タワー|へ"),
        ("नमस्ते दुनिया", "नमस्ते|दुनिया"),
        ("مرحبا بالعالم", "مرحبا|بالعالم"),
        ("a\r\nb\u00a0c\u3000d", "a|b|c|d"),
        ("", ""),
        (" \t", ""),
    ],
)
def test_words_end_where_readers_see_them_end(text: str, expected: str) -> None:
    assert "|".join(pieces(text)) == expected


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_short_way_of_plain_letters_gives_the_same_words(text: str) -> None:
    assert words(text) == [place for place in words(f"{text} é") if place[1] <= len(text)]


@pytest.mark.parametrize("way", WAYS)
@given(text=st.text())
def test_each_sign_but_blanks_is_in_one_word(way: str, text: str) -> None:
    places = WAYS[way](text)
    covered = [i for start, end in places for i in range(start, end)]
    assert len(covered) == len(set(covered))
    assert covered == sorted(covered)
    assert {i for i, sign in enumerate(text) if not sign.isspace()} <= set(covered)


def test_characters_keep_their_marks_and_joiners() -> None:
    text = f"e\u0301 {FAMILY}x"
    assert [text[start:end] for start, end in characters(text)] == ["e\u0301", FAMILY, "x"]


def test_tokens_of_a_text_put_together_are_what_stands_between_blanks() -> None:
    assert blank_separated(" @user  's 3.5") == [(1, 6), (8, 10), (11, 14)]


def test_a_stretch_snaps_to_the_words_that_it_touches() -> None:
    text = "one two  three"
    assert snapped(2, 5, words(text)) == (0, 7)
    assert snapped(7, 9, words(text)) is None
