"""Stored sentences in the language of their reader.

Workers and the library, which knows no gettext, say in English why something failed; so it is stored. Here
a sentence is looked up in the catalogue when it is shown; one with words filled in is found by its pattern.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation.trans_real import translation

PLACE = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}|%%")
# A pattern of fewer letters of its own would take any sentence for its own.
FEWEST_LETTERS = 8
LONGEST = 5_000
# What a sentence was filled with may be a sentence, which again has one inside.
DEEPEST = 3
# What work and the library call their stages, and why a run began; both are stored as these words.
STAGES = (
    gettext_noop("read"),
    gettext_noop("vectors"),
    gettext_noop("neighbours"),
    gettext_noop("tune the encoder"),
    gettext_noop("calibrate"),
    gettext_noop("teach"),
    gettext_noop("fit"),
    gettext_noop("tune"),
    gettext_noop("export"),
    gettext_noop("evaluate"),
    gettext_noop("publish"),
    gettext_noop("done"),
    gettext_noop("judge"),
    gettext_noop("choose"),
    gettext_noop("predict"),
    gettext_noop("ask"),
    gettext_noop("measure"),
    gettext_noop("sweep"),
    gettext_noop("remove"),
    gettext_noop("write"),
    gettext_noop("restore"),
    gettext_noop("index"),
    gettext_noop("change"),
    gettext_noop("merge"),
)
REASONS = (
    gettext_noop("labels"),
    gettext_noop("idle"),
    gettext_noop("lead"),
    gettext_noop("names"),
    gettext_noop("tune"),
)
# What the library fills into its sentences.
PARTS = (gettext_noop("higher"), gettext_noop("lower"))


class Pattern(NamedTuple):
    """A sentence of the catalogue with places in it: its words around these, and the names of the places."""

    msgid: str
    own: list[str]
    names: list[str]

    @property
    def letters(self) -> int:
        return sum(map(str.isalpha, "".join(self.own)))

    def words_of(self, sentence: str) -> dict[str, str] | None:
        """Return what each place was filled with; None where the sentence is another one.

        Each part of the pattern is taken where it first stands. Where that finds nothing, nothing would, and
        a sentence that somebody made of nothing but such parts takes no longer than any other.
        """
        first, *between, last = self.own
        if not sentence.startswith(first) or not sentence.endswith(last):
            return None
        words, end, until = list[str](), len(first), len(sentence) - len(last)
        for part in between:
            found = sentence.find(part, end, until)
            if found < 0:
                return None
            words.append(sentence[end:found])
            end = found + len(part)
        if end > until:
            return None
        words.append(sentence[end:until])
        filled = dict(zip(self.names, words, strict=True))
        is_same = all(filled[name] == word for name, word in zip(self.names, words, strict=True))
        return filled if is_same else None

    def is_quoted(self, name: str) -> bool:
        """Tell whether what stands there is somebody's own, as the name of a label or a file."""
        place = self.names.index(name)
        return self.own[place].endswith(("“", "'", '"')) and self.own[place + 1].startswith(("”", "'", '"'))


def translated(sentence: str, depth: int = 0) -> str:
    """Return a stored sentence in the language in force; what the catalogue does not know stays as it is."""
    sentence = str(sentence or "")
    if not sentence or len(sentence) > LONGEST or get_language() in (None, "en"):
        return sentence
    known = gettext(sentence.replace("%", "%%")).replace("%%", "%")
    if known != sentence:
        return known
    for pattern in patterns(str(get_language())):
        if (words := pattern.words_of(sentence)) is not None:
            said = {
                name: word if pattern.is_quoted(name) else _part(word, depth) for name, word in words.items()
            }
            return _filled(gettext(pattern.msgid), said)
    return _piecewise(sentence, depth)


def _part(word: str, depth: int) -> str:
    """Translate what a sentence was filled with: a sentence, or a word of the library, but nobody's name."""
    is_ours = " " in word or word in PARTS or word in STAGES
    return translated(word, depth + 1) if is_ours and depth < DEEPEST else word


def _piecewise(sentence: str, depth: int) -> str:
    """Translate what stands together as several sentences one by one."""
    parts = re.split(r"(?<=[.!?]) (?=[A-Z“])", sentence)
    if len(parts) == 1 or depth >= DEEPEST:
        return sentence
    return " ".join(translated(part, depth + 1) for part in parts)


@cache
def patterns(language: str) -> list[Pattern]:
    """Return what the catalogue's sentences with places look like once filled, the most telling first."""
    # NB: Django reads its catalogues so for scripts; there is no public way to list what one holds.
    catalogue = translation(language)._catalog  # type: ignore[attr-defined]
    messages = sorted({key for key, _said in catalogue.items() if isinstance(key, str)})
    found = [_pattern(msgid) for msgid in messages if PLACE.search(msgid)]
    telling = [pattern for pattern in found if pattern.names and pattern.letters >= FEWEST_LETTERS]
    return sorted(telling, key=lambda pattern: -pattern.letters)


def _pattern(msgid: str) -> Pattern:
    own, names, end = [""], list[str](), 0
    for place in PLACE.finditer(msgid):
        own[-1] += msgid[end : place.start()]
        end = place.end()
        if name := place[1] or place[2]:
            names.append(name)
            own.append("")
        else:
            own[-1] += "%"
    own[-1] += msgid[end:]
    return Pattern(msgid, own, names)


def _filled(text: str, words: dict[str, str]) -> str:
    def fill(place: re.Match[str]) -> str:
        name = place[1] or place[2]
        return "%" if name is None else words.get(name, place[0])

    return PLACE.sub(fill, text)
