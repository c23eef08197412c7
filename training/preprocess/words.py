"""Words of a text with their places: what labelled spans snap to, and what a model tags.

The boundaries follow the default word boundaries of Unicode (UAX 29) as far as spans need them: letters with
their marks, digits with points between them, emoji with their joiners. Where a script puts no blanks between
words, each character is one, as dictionaries that find words there would have to be the same on every page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

Places = list[tuple[int, int]]  # [start, end) in Unicode code points

_ASCII = re.compile(
    r"[A-Za-z0-9_]+(?:(?:(?<=[A-Za-z_])['.:](?=[A-Za-z_])|(?<=[0-9])[,.;'](?=[0-9]))[A-Za-z0-9_]+)*|\S"
)
_UNBROKEN = re.compile(r"\S+")

_LETTER, _DIGIT, _ALONE, _KATAKANA, _BLANK, _EXTENDING, _JOINER, _FLAG, _OTHER = range(9)
_BETWEEN_LETTERS = frozenset("':.·․‧’︓﹕：＇．")
_BETWEEN_DIGITS = frozenset("',.;’٬﹐﹔，；＇．")
_ZWJ = "\u200d"
# Scripts whose writers put no blanks between words: Thai and Lao, Tibetan's neighbour Myanmar, Khmer, Tai Le
# and New Tai Lue, then kana and the ideographs of Chinese, Japanese and Korean.
_WITHOUT_BLANKS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF),
    (0x3005, 0x3007), (0x3041, 0x309F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0x20000, 0x3FFFF),
)  # fmt: skip
_KATAKANAS = ((0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F))


def words(text: str) -> Places:
    """Return the words of a text in order: each letter, digit and sign is in one, each blank in none."""
    if text.isascii():
        return [match.span() for match in _ASCII.finditer(text)]
    found: Places = []
    start, i, length = 0, 0, len(text)
    while i < length:
        kind = _kind(text[i])
        if kind == _BLANK:
            i += 1
            continue
        start, i = i, _past_marks(text, i + 1)
        if kind in (_LETTER, _DIGIT):
            i = _rest_of_word(text, i, kind)
        elif kind == _KATAKANA:
            while i < length and _kind(text[i]) == _KATAKANA:
                i = _past_marks(text, i + 1)
        elif kind == _FLAG and i < length and _kind(text[i]) == _FLAG:
            i = _past_marks(text, i + 1)  # a flag is two of these letters
        elif kind == _OTHER:
            # Joiners put several pictures into one, as in families.
            while i < length and text[i - 1] == _ZWJ and _kind(text[i]) != _BLANK:
                i = _past_marks(text, i + 1)
        found.append((start, i))
    return found


def characters(text: str) -> Places:
    """Return each character with its marks and joiners, without blanks: the words where none are wanted."""
    found: Places = []
    i = 0
    while i < len(text):
        if _kind(text[i]) == _BLANK:
            i += 1
            continue
        start, i = i, _past_marks(text, i + 1)
        while i < len(text) and text[i - 1] == _ZWJ and _kind(text[i]) == _OTHER:
            i = _past_marks(text, i + 1)
        found.append((start, i))
    return found


def blank_separated(text: str) -> Places:
    """Return the stretches between blanks: the tokens of a text that was put together of tokens."""
    return [match.span() for match in _UNBROKEN.finditer(text)]


WAYS: dict[str, Callable[[str], Places]] = {
    "words": words,
    "blanks": blank_separated,
    "characters": characters,
}
"""How a text can be cut; a bundle keeps the key of its way."""


def snapped(start: int, end: int, places: Places) -> tuple[int, int] | None:
    """Return the smallest run of whole words around [start, end); None where it touches no word."""
    touched = [place for place in places if place[0] < end and start < place[1]]
    return (touched[0][0], touched[-1][1]) if touched else None


def _rest_of_word(text: str, i: int, kind: int) -> int:
    """Return where the word ends whose first character, of that kind, ends at `i`."""
    length = len(text)
    while i < length:
        after = _kind(text[i])
        if after in (_LETTER, _DIGIT):
            kind, i = after, _past_marks(text, i + 1)
            continue
        follower = _kind(text[i + 1]) if i + 1 < length else _BLANK
        between = _BETWEEN_LETTERS if kind == _LETTER else _BETWEEN_DIGITS
        if text[i] in between and follower == kind:
            i += 1
            continue
        break
    return i


def _past_marks(text: str, i: int) -> int:
    """Return the first place from `i` on whose sign is no mark and no joiner of the one before."""
    while i < len(text) and _kind(text[i]) in (_EXTENDING, _JOINER):
        i += 1
    return i


@lru_cache(maxsize=65_536)
def _kind(character: str) -> int:
    code = ord(character)
    if character.isspace():
        return _BLANK
    if character == _ZWJ:
        return _JOINER
    category = unicodedata.category(character)
    if category in ("Mn", "Mc", "Me", "Cf") or 0x1F3FB <= code <= 0x1F3FF:  # the last are tones of skin
        return _EXTENDING
    if any(first <= code <= last for first, last in _WITHOUT_BLANKS):
        return _ALONE
    if any(first <= code <= last for first, last in _KATAKANAS):
        return _KATAKANA
    if 0x1F1E6 <= code <= 0x1F1FF:
        return _FLAG
    if category == "Nd":
        return _DIGIT
    if character.isalnum() or category == "Pc":
        return _LETTER
    return _OTHER
