"""Turns texts into windows of word pieces for a fine-tuned tagger; imports nothing but tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from tokenizers import Tokenizer

from training.preprocess.protocol import Feed
from training.preprocess.tokens import TOKENIZER_FILE, read_tokenizer
from training.preprocess.word_encoder import MAX_WORDS, WordEncoder, readable
from training.preprocess.word_features import WordFeed
from training.preprocess.words import WAYS
from training.types import IntArray

SHAPES = 8
"""Kinds of how a word is written: four, each of its first piece and of those that go on."""
FILE = "word_pieces.json"


@dataclass(frozen=True, slots=True)
class PieceSettings:
    """How a text is cut: into words by `way`, into windows of `max_length` pieces that share `overlap`."""

    way: str
    max_length: int = 128
    overlap: int = 32


class WordPiecePreprocessor:
    """Cuts texts into windows of pieces and says which piece speaks for which word: its first.

    The last window ends where the text does, so all windows of a text have one length and need no padding. A
    word is read in the window that shows most around it. A word of more pieces than a window holds is read
    by those at its start.
    """

    def __init__(self, tokenizer: Tokenizer, settings: PieceSettings) -> None:
        """Take a tokenizer, whose own truncation and padding are switched off."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.settings = settings
        self._tokenizer = tokenizer
        self._cut = WAYS[settings.way]
        wrapped = tokenizer.encode("a")
        inside = [i for i, word in enumerate(wrapped.word_ids) if word is not None]
        self._before, self._after = wrapped.ids[: inside[0]], wrapped.ids[inside[-1] + 1 :]

    def feeds(self, texts: Sequence[str], *, encoder: WordEncoder | None = None) -> Iterator[WordFeed]:
        """Yield `input_ids` and `shapes`, (windows, pieces) each, for each text; `encoder` is not used."""
        for text in texts:
            yield self._feed(text)

    def _feed(self, text: str) -> WordFeed:
        places = self._cut(text)
        words = [text[start:end] for start, end in places[:MAX_WORDS]]
        encoded = self._tokenizer.encode(
            [readable(word) for word in words], is_pretokenized=True, add_special_tokens=False
        )
        owners = np.array([-1 if word is None else word for word in encoded.word_ids], np.int64)
        first = np.flatnonzero(np.diff(owners, prepend=-2))  # pieces that begin a word
        kinds = np.array([_kind(word) for word in words], np.int64)
        shapes = (kinds[owners] if len(owners) else owners) + SHAPES // 2
        shapes[first] -= SHAPES // 2
        starts = self._starts(len(owners))
        size = min(len(owners), self._room)
        ids = [[*self._before, *encoded.ids[start : start + size], *self._after] for start in starts]
        edges = [0] * len(self._before), [0] * len(self._after)
        shaped = [[*edges[0], *shapes[start : start + size], *edges[1]] for start in starts]
        rows = np.full(len(places), -1, np.int64)
        rows[owners[first]] = self._rows(first, starts, size, len(owners))
        feed: Feed = {"input_ids": np.array(ids, np.int64), "shapes": np.array(shaped, np.int64)}
        return WordFeed(places, feed, rows)

    @property
    def _room(self) -> int:
        return self.settings.max_length - len(self._before) - len(self._after)

    def _starts(self, pieces: int) -> list[int]:
        last = max(0, pieces - self._room)
        return [*range(0, last, self._room - self.settings.overlap), last]

    def _rows(self, pieces: IntArray, starts: list[int], size: int, total: int) -> IntArray:
        """Return where each piece stands in the graph's output, in the window where it is most central."""
        begin = np.array(starts)[None]  # (1, windows)
        offset = pieces[:, None] - begin  # (pieces, windows)
        left = np.where(begin == 0, total, offset)
        right = np.where(begin + size == total, total, size - 1 - offset)
        central = np.where((offset >= 0) & (offset < size), np.minimum(left, right), -1)
        best = central.argmax(axis=1)
        length = len(self._before) + size + len(self._after)
        found: IntArray = best * length + len(self._before) + offset[np.arange(len(pieces)), best]
        return found

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
        (folder / FILE).write_text(json.dumps(asdict(self.settings), indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; `encoder` and `threads` are not used."""
        settings = PieceSettings(**json.loads((folder / FILE).read_text("utf-8")))
        return cls(read_tokenizer(folder / TOKENIZER_FILE), settings)


def _kind(word: str) -> int:
    """Return how a word is written: without capitals, with one at its start, in capitals, in another way."""
    upper, lower = any(map(str.isupper, word)), any(map(str.islower, word))
    if not upper:
        return 0
    if not lower and len(word) > 1:
        return 2
    return 1 if word[0].isupper() and not any(map(str.isupper, word[1:])) else 3
