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
REASONS = (gettext_noop("labels"), gettext_noop("idle"), gettext_noop("lead"), gettext_noop("names"))
# What the library fills into its sentences.
PARTS = (gettext_noop("higher"), gettext_noop("lower"))


class Pattern(NamedTuple):
    msgid: str
    regex: re.Pattern[str]
    letters: int


def translated(sentence: str, depth: int = 0) -> str:
    """Return a stored sentence in the language in force; what the catalogue does not know stays as it is."""
    sentence = str(sentence or "")
    if not sentence or len(sentence) > LONGEST or get_language() in (None, "en"):
        return sentence
    known = gettext(sentence.replace("%", "%%")).replace("%%", "%")
    if known != sentence:
        return known
    for pattern in patterns(str(get_language())):
        if found := pattern.regex.fullmatch(sentence):
            words = {name: word for name, word in found.groupdict().items() if word is not None}
            if depth < DEEPEST:
                words = {name: translated(word, depth + 1) for name, word in words.items()}
            return _filled(gettext(pattern.msgid), words)
    return _piecewise(sentence, depth)


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
    messages = [key for key, _said in catalogue.items() if isinstance(key, str)]
    found = [_pattern(msgid) for msgid in messages if PLACE.search(msgid)]
    telling = [pattern for pattern in found if pattern.letters >= FEWEST_LETTERS]
    return sorted(telling, key=lambda pattern: -pattern.letters)


def _pattern(msgid: str) -> Pattern:
    regex, letters, end, seen = "", 0, 0, set()
    for place in PLACE.finditer(msgid):
        own = msgid[end : place.start()]
        name = place[1] or place[2]
        if name is None:
            regex += re.escape(own) + "%"
        elif name in seen:
            regex += re.escape(own) + f"(?P={name})"
        else:
            regex += re.escape(own) + f"(?P<{name}>.*?)"
            seen.add(name)
        letters, end = letters + sum(map(str.isalpha, own)), place.end()
    own = msgid[end:]
    return Pattern(msgid, re.compile(regex + re.escape(own), re.DOTALL), letters + sum(map(str.isalpha, own)))


def _filled(text: str, words: dict[str, str]) -> str:
    def fill(place: re.Match[str]) -> str:
        name = place[1] or place[2]
        return "%" if name is None else words.get(name, place[0])

    return PLACE.sub(fill, text)
