"""Which single-byte encoding a text is in, by the letters that languages have.

Detectors that go by the frequency of letters need a page of text, and read "déjà" as "déjŕ" in a short one.
An alphabet needs a few words: French has an "à" and no "ŕ".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

WORD = re.compile(r"[^\W\d_]+|[^\x00-\x7f]")
ASCII_LETTER = re.compile("[A-Za-z]")
# Quotes, dashes and the like lie at the same place in most encodings and tell nothing.
TYPOGRAPHY = frozenset("“”„‟‘’‚‛–—…«»‹›•·\u00a0\u00ad™®©€†‡")
# Signs that stand by themselves, and are other encodings' letters where they stand inside of words.
SIGNS = frozenset("£¥¢§°²³¹½¼¾±×÷µ¶¬¦¤№ªº")
MOST_WORDS = 2000
# Not 1, as real text holds names of other languages; where nothing fits so well, frequencies decide.
ENOUGH = 0.8
# By how much a later alphabet has to be better: many a text has only letters that both have, or a foreign
# name. Scripts overlap less than Latin alphabets do.
MARGIN, LATIN_MARGIN = 0.05, 0.15


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The letters beyond ASCII of a language, and the encodings that its texts are saved in.

    `frequent` are the ten most frequent letters of a language that is not written in Latin letters. They make
    up about two thirds of a text; in another language's encoding, about a quarter.
    """

    encodings: tuple[str, ...]
    letters: frozenset[str]
    frequent: frozenset[str] = frozenset()


def _latin(encoding: str, *languages: str) -> list[Alphabet]:
    return [Alphabet((encoding,), frozenset(letters)) for letters in languages]


CYRILLIC = ("cp1251", "koi8_r", "cp866", "mac_cyrillic")
RUSSIAN = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
HEBREW = frozenset(map(chr, range(0x5D0, 0x5EB)))
ARABIC = frozenset(map(chr, range(0x621, 0x653))) | frozenset("پچژگ")
# In the order in which they are preferred where several fit: the first of equals is taken.
ALPHABETS = [
    *_latin(
        "cp1252",
        "àâæçéèêëîïôœùûüÿñ", "äöüßéàè", "áéíñóúü¿¡ªº", "áâãàçéêíóôõúüªº", "àèéìíîòóùúªº", "æøåéòóôä", "åäöéü",
        "éëèêïóöüçà", "áðéíóúýþæö", "àçèéíïòóúü·",
    ),
    *_latin(
        "cp1250",
        "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ", "äöüßé",
    ),
    *_latin("cp1254", "çğıöşüâîûİ"),
    *_latin("cp1257", "ąčęėįšųūž", "āčēģīķļņšūž"),
    Alphabet(CYRILLIC, frozenset(RUSSIAN), frozenset("оеаинтсрвл")),
    Alphabet(("cp1251",), frozenset("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"), frozenset("оаиніветрс")),
    Alphabet(("cp1251",), frozenset("абвгдеёжзійклмнопрстуўфхцчшыьэюя"), frozenset("анеіроктсл")),
    Alphabet(("cp1251",), frozenset("абвгдђежзијклљмнњопрстћуфхцчџш"), frozenset("аоиенрсјтк")),
    Alphabet(("cp1253",), frozenset("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"), frozenset("αοιετσνηυρ")),
    Alphabet(("cp1255",), HEBREW, frozenset("יוהלאמרתבש")),
    Alphabet(("cp1256",), ARABIC, frozenset("الينمرتوبه")),
]  # fmt: skip


def by_alphabet(sample: bytes) -> str:
    """Return the encoding in which a sample's words are made of one language's letters; "" where none is."""
    best, most = "", 0.0
    words: dict[str, list[str]] = {}
    for alphabet in ALPHABETS:
        for encoding in alphabet.encodings:
            if encoding not in words:
                words[encoding] = _foreign_words(sample.decode(encoding, "replace"))
            fit = _fit(words[encoding], alphabet)
            margin = MARGIN if alphabet.frequent else LATIN_MARGIN
            if fit >= ENOUGH and (not best or fit > most + margin):
                best, most = encoding, fit
    return best


def _foreign_words(text: str) -> list[str]:
    """Return the words of a text that are not plain ASCII, and its single signs."""
    return [word for word in WORD.findall(text) if not word.isascii()][:MOST_WORDS]


def _fit(words: list[str], alphabet: Alphabet) -> float:
    """Return which share of the letters beyond ASCII this language has; 1 where there are none."""
    letters, known, frequent = 0, 0.0, 0
    for word in words:
        if word in TYPOGRAPHY or word in SIGNS:
            continue
        has_ascii = bool(ASCII_LETTER.search(word))
        # Latin words have plain letters as well; no other script has them within a word.
        is_plausible = not has_ascii if alphabet.frequent else has_ascii or len(word) <= 2
        for place, char in enumerate(word):
            if char.isascii():
                continue
            letters += 1
            lowered = char.lower()
            if not is_plausible or (lowered not in alphabet.letters and char not in alphabet.letters):
                continue
            # Capitals are what KOI8-R makes of Windows-1251's small letters, and the other way round; but
            # people do write whole words in them.
            is_odd = alphabet.frequent and place and char != lowered
            known += (0.9 if word.isupper() else 0.5) if is_odd else 1.0
            frequent += lowered in alphabet.frequent
    if not letters:
        return 1.0
    if not alphabet.frequent:
        return known / letters
    return 0.5 * known / letters + 0.5 * min(1.0, frequent / letters / 0.6)
