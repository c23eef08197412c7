"""Words, runs of words and parts of words, numbered as fastText numbers the rows of its input matrix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Self

import numpy as np

from training.preprocess.ngrams import normalise
from training.preprocess.places import Span, TextParts, original_spans, placed, word_places
from training.preprocess.protocol import Feed
from training.types import Embedder, FloatArray, IntArray

FILE = "subwords.json"
BUCKETS_FILE = "buckets.npy"
END = "</s>"  # fastText ends every line with this word, so its row acts as the model's bias

_CACHED_WORDS = 32_768
_MANY = 4_096  # features; with more, repeated rows are summed first, so that a book does not fill the memory

# A word is a run as in the n-grams' vocabulary, cut after 64 characters; anything else is a token by itself.
# NB: no token can be END or start like a label of a training file, as both start with a lone "<".
_TOKEN = re.compile(
    r"(?:[^\W_]|[^\x00-\x7f\s\u00a0-\u00bf\u2000-\u206f\u3000-\u303f]){1,64}|[^\w\s\x00-\x1f\x7f]|_"
)
_FNV_START, _FNV_PRIME, _WORD_MASK = 2_166_136_261, 16_777_619, 0xFFFF_FFFF
_SIGN, _SIGN_BITS = 0x8000_0000, 0xFFFF_FFFF_0000_0000
_RUN_FACTOR = np.uint64(116_049_371)


@dataclass(frozen=True, slots=True)
class SubwordSettings:
    """Which features there are: runs of up to `word_max` words, and parts of words by number of characters.

    `char_max` 0 means no parts of words. Runs and parts share `buckets` rows by hash.
    """

    word_max: int = 2
    char_min: int = 3
    char_max: int = 5
    buckets: int = 262_144


class SubwordPreprocessor:
    """Turns a text into rows of fastText's input matrix and their shares of the text.

    Rows are first the words in their given order, then the kept buckets, ascending. Hashing is FNV-1a as in
    fastText (Bojanowski et al., 2017; Joulin et al., 2017), whose bytes are signed.
    """

    def __init__(self, settings: SubwordSettings, words: Sequence[str], buckets: IntArray) -> None:
        """Take the words and the kept buckets, ascending; raises `ValueError` for buckets out of range."""
        if len(buckets) and not (buckets[0] >= 0 and buckets[-1] < settings.buckets):
            raise ValueError(f"buckets must be from 0 to {settings.buckets - 1}")
        self.settings = settings
        self.words = tuple(words)
        self.buckets = buckets
        self._word_rows = {word: i for i, word in enumerate(words)}
        self._bucket_rows = np.full(settings.buckets, -1, np.int64)
        self._bucket_rows[buckets] = np.arange(len(buckets)) + len(words)
        self._read = lru_cache(_CACHED_WORDS)(self._read_word)

    def __len__(self) -> int:
        return len(self.words) + len(self.buckets)

    def rows(self, text: str) -> IntArray:
        """Return the row of every feature of a text, with repeats; -1 for those without a row."""
        words, runs = self._features(tokens(text))
        return np.concatenate([*words, *runs])

    def _features(self, words: Sequence[str]) -> tuple[list[IntArray], list[IntArray]]:
        """Return the rows of the words and of the end, then those of runs of two words, three and so on."""
        hashes, rows = zip(*map(self._read, (*words, END)), strict=True)
        first = values = np.array(hashes, np.uint64)
        runs: list[IntArray] = []
        for length in range(1, self.settings.word_max):
            values = values[:-1] * _RUN_FACTOR + first[length:]
            runs.append(self._bucket_rows[values % np.uint64(self.settings.buckets)])
        return list(rows), runs

    def weights(self, text: str) -> tuple[IntArray, FloatArray]:
        """Return the rows of a text and the share that each has in its mean.

        A feature without a row counts as a row of zeros. That is what fastText's untrained rows are on
        average, and it makes the model less sure of a text the less of it is known.
        """
        rows = self.rows(text)
        known = rows[rows >= 0]
        if len(known) < _MANY:
            return known, np.full(len(known), 1 / len(rows), np.float32)
        found, counts = np.unique(known, return_counts=True)
        return found, (counts / len(rows)).astype(np.float32)

    def parts(self, text: str) -> TextParts:
        """Return the words and runs of words of a text with their features; a word owns its parts' as well.

        The end of a text is no part of it: a run that reaches the end belongs to the words before it, and
        the end alone belongs to nothing.
        """
        known = _known(text)
        spans = original_spans(text, normalise(text), normalise)
        grams = list(word_places(_TOKEN.finditer(known), self.settings.word_max))
        words, runs = self._features(_TOKEN.findall(known))
        first: dict[str, Span] = {}
        for gram, span in grams:
            first.setdefault(gram, span)
        numbers = {gram: i for i, gram in enumerate(first)}
        owners = np.array([*(numbers[gram] for gram, _ in grams), -1])[_owning(words, runs)]
        rows = np.concatenate([*words, *runs])
        has_row = rows >= 0
        return TextParts(
            places=tuple(placed(gram, span, spans) for gram, span in first.items()),
            ids=rows[has_row],
            values=np.full(int(has_row.sum()), 1 / len(rows), np.float32),
            owners=owners[has_row],
        )

    def keep(self, rows: IntArray) -> Self:
        """Return a preprocessor with all words and only those buckets that `rows`, ascending, have."""
        kept = rows[rows >= len(self.words)] - len(self.words)
        return type(self)(self.settings, self.words, self.buckets[kept])

    def feeds(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> Iterator[Feed]:
        """Yield `ids` (features,) and `values` (1, features) for each text; `embedder` is not used."""
        for text in texts:
            ids, values = self.weights(text)
            yield {"ids": ids, "values": values[None]}

    def save(self, folder: Path) -> None:
        """Write the settings and the words as JSON, and the kept buckets as an array."""
        content = {"settings": asdict(self.settings), "words": self.words}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")
        np.save(folder / BUCKETS_FILE, self.buckets.astype(np.int32), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; `encoder` and `threads` are not used."""
        content = json.loads((folder / FILE).read_text("utf-8"))
        buckets = np.load(folder / BUCKETS_FILE, allow_pickle=False).astype(np.int64)
        return cls(SubwordSettings(**content["settings"]), content["words"], buckets)

    def _read_word(self, word: str) -> tuple[int, IntArray]:
        own = [self._word_rows[word]] if word in self._word_rows else []
        parts = [] if word == END else _part_buckets(f"<{word}>", self.settings)
        rows = np.concatenate([np.array(own, np.int64), self._bucket_rows[np.array(parts, np.int64)]])
        value = _hashed(word.encode())
        return value | _SIGN_BITS if value & _SIGN else value, rows


def tokens(text: str) -> list[str]:
    """Return the words and symbols of a text in lower case, which fastText sees separated by spaces."""
    return _TOKEN.findall(_known(text))


def _known(text: str) -> str:
    """Return a normalised text of the same length whose characters can all be encoded, to be hashed."""
    known = normalise(text)
    return known if known.isascii() else known.encode("utf-8", "replace").decode("utf-8")


def _part_buckets(word: str, settings: SubwordSettings) -> list[int]:
    pieces = [character.encode() for character in word]
    found = []
    for start in range(len(pieces)):
        value = _FNV_START
        for length, piece in enumerate(pieces[start : start + settings.char_max], start=1):
            value = _hashed(piece, value)
            if length >= settings.char_min:
                found.append(value % settings.buckets)
    return found


def _hashed(data: bytes, value: int = _FNV_START) -> int:
    for byte in data:
        signed = byte if byte < 0x80 else byte | 0xFFFF_FF00
        value = (value ^ signed) * _FNV_PRIME & _WORD_MASK
    return value


def _owning(words: Sequence[IntArray], runs: Sequence[IntArray]) -> IntArray:
    """Return for each feature the place of its n-gram among those of `word_places`, -1 for the end's own.

    A text of w words has w + 1 - n n-grams of n words, and w + 2 - n runs: the last one reaches the end and
    is of the last n-gram of one word less.
    """
    starts = [0, *accumulate(max(len(words) - n, 0) for n in range(1, len(runs) + 2))]  # of n words' n-grams
    found = [np.repeat([*range(len(words) - 1), -1], [len(rows) for rows in words])]
    for n, rows in enumerate(runs, start=1):
        if len(rows):
            found.append(np.array([*range(starts[n], starts[n] + len(rows) - 1), starts[n] - 1]))
    return np.concatenate(found).astype(np.int64)
