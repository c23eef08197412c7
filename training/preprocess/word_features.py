"""What a tagger sees of each word: vectors of it and of its neighbours, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from training.preprocess.protocol import Feed
from training.preprocess.word_encoder import Halves, OnnxWordEncoder, WordEncoder
from training.preprocess.words import WAYS, Places
from training.types import FloatArray, IntArray, TrainingError

SHAPES = 27
"""Columns of how a word is written."""
_TEXTS_AT_ONCE = 64  # so that a large pool's vectors are never all in memory


@dataclass(frozen=True, slots=True)
class WordFeed:
    """One text's words, the inputs of the graph, and which row of its output is of which word.

    A row of -1 is of a word that the graph does not read, about which nothing is said.
    """

    places: Places
    feed: Feed
    rows: IntArray  # (words,)


class WordPreprocessor(Protocol):
    """Makes the inputs of a bundle's graph out of texts, word by word."""

    def feeds(self, texts: Sequence[str], *, encoder: WordEncoder | None = None) -> Iterator[WordFeed]:
        """Yield the inputs for each text in order; a given `encoder` replaces the bundle's own."""

    def save(self, folder: Path) -> None:
        """Write the files that `load` reads."""

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; `encoder` is the folder of the bundle's encoder, if it has one."""


def shapes(text: str, places: Places) -> FloatArray:
    """Return how each word is written (words, SHAPES), 0 or 1 but for the share of capitals in the text."""
    found = np.zeros((len(places), SHAPES), np.float32)
    for row, (start, end) in zip(found, places, strict=True):
        word = text[start:end]
        length = len(word)
        upper, lower = sum(map(str.isupper, word)), sum(map(str.islower, word))
        digits = sum(map(str.isdigit, word))
        row[:22] = (
            upper > 1 and not lower,
            upper == 1 and length == 1,
            word[0].isupper() and lower > 0,
            lower > 0 and not upper,
            upper > 0 and lower > 0 and not word[0].isupper(),
            digits == length,
            digits > 0 and upper + lower > 0,
            0 < digits < length and not upper + lower,
            not upper + lower + digits,
            word[0] == "@",
            word[0] == "#",
            word[:4].lower() == "http" or "www." in word.lower(),
            "'" in word,
            "-" in word,
            "." in word and length > 1,
            not word.isascii(),
            length == 1,
            length == 2,
            length == 3,
            3 < length < 6,
            5 < length < 9,
            length > 8,
        )
    if len(found):
        capital = found[:, :3].max(axis=1)
        found[0, 22] = found[-1, 23] = 1
        found[1:, 24], found[:-1, 25], found[:, 26] = capital[:-1], capital[1:], capital.mean()
    return found


def features(vectors: Halves, written: FloatArray, layers: int) -> FloatArray:
    """Return (words, features): all layers, the middle layer of both neighbours, and how it is written."""
    own = vectors.astype(np.float32)
    width = own.shape[1] // layers
    middle = own[:, (layers // 2) * width : (layers // 2 + 1) * width]
    edge = np.zeros((1, width), np.float32)
    before, after = np.vstack([edge, middle[:-1]]), np.vstack([middle[1:], edge])
    return np.hstack([own, before[: len(own)], after[: len(own)], written])


class WordFeaturePreprocessor:
    """Cuts a text into words and gives the features of each, in training as in serving."""

    FILE = "preprocessing.json"

    def __init__(self, way: str, fingerprint: str, encoder: Path | None = None, threads: int = 1) -> None:
        """Take a key of `WAYS` and the fingerprint of the encoder; `KeyError` for another way."""
        self._cut = WAYS[way]
        self.way = way
        self.fingerprint = fingerprint
        self._folder = encoder
        self._threads = threads
        self._encoder: OnnxWordEncoder | None = None

    def feeds(self, texts: Sequence[str], *, encoder: WordEncoder | None = None) -> Iterator[WordFeed]:
        """Yield the inputs for each text; a given `encoder` replaces the bundle's own."""
        source = self._source() if encoder is None else encoder
        if source.fingerprint != self.fingerprint:
            raise TrainingError(
                f"The model was trained on vectors of the encoder {self.fingerprint[:12]}, "
                f"but got those of {source.fingerprint[:12]}. Train it again with this encoder."
            )
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            some = texts[start : start + _TEXTS_AT_ONCE]
            cuts = [self._cut(text) for text in some]
            for text, cut, vectors in zip(some, cuts, source.vectors(some, cuts), strict=True):
                found = features(vectors, shapes(text, cut), source.layers)
                yield WordFeed(cut, {"features": found}, np.arange(len(cut)))

    def _source(self) -> WordEncoder:
        if self._encoder is None:
            if self._folder is None:
                raise TrainingError(
                    f"The encoder {self.fingerprint[:12]} of this bundle is not on this machine: "
                    "put its folder into the bundle or among the encoders."
                )
            self._encoder = OnnxWordEncoder(self._folder, threads=self._threads)
        return self._encoder

    def save(self, folder: Path) -> None:
        """Write how texts are cut, and which encoder the model belongs to."""
        content = {"way": self.way, "encoder": self.fingerprint}
        (folder / self.FILE).write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; the encoder is opened when the first text has to be read by it."""
        content = json.loads((folder / cls.FILE).read_text(encoding="utf-8"))
        return cls(str(content["way"]), str(content["encoder"]), encoder, threads)
