"""Tells which texts a model that only guesses may speak about: those of its language and of its subject."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.figures.coverage import FOREIGN, open_tokenizer, pieces_per_word
from training.preprocess.encoder import TOKENIZER_FILE
from training.types import FloatArray, Task

# Both were chosen by the precision of what is said, over twenty draws of labels of BANKING77 and GoEmotions,
# with texts of other sets between them; `bench/figures/guesses.py` prints the table of docs/benchmarks.md.
LEAST_SIMILAR = 0.35  # cosine of a text with the nearest label name
LEAST_APART = 0.02  # by how much the nearest name leads, where one label excludes the others


class Familiar:
    """The names of the labels as vectors, and the words that the encoder knows."""

    FILE = "familiar.npy"

    def __init__(self, names: FloatArray, tokenizer: Path | None = None) -> None:
        """Take unit vectors (labels, dimension); without the encoder's tokenizer, words are not looked at."""
        self.names = names
        self._tokenizer = tokenizer

    def knows(self, task: Task, texts: Sequence[str], vectors: FloatArray) -> NDArray[np.bool_]:
        """Tell (texts,) for which of them a guess is worth anything; `vectors` are (texts, dimension).

        A text in a language that the encoder was not made for is cut into many pieces a word (Rust et al.,
        2021); one that no label is about is near to no name.
        """
        near = np.sort(vectors @ self.names.T, axis=1)  # (texts, labels)
        known = near[:, -1] >= LEAST_SIMILAR
        if task.exclusive and near.shape[1] > 1:
            known &= near[:, -1] - near[:, -2] >= LEAST_APART
        if self._words is not None:
            pieces = [pieces_per_word(self._words, [text]) for text in texts]
            known &= np.array(pieces) <= FOREIGN
        return np.asarray(known, np.bool_)

    @cached_property
    def _words(self) -> Tokenizer | None:
        return open_tokenizer(self._tokenizer) if self._tokenizer is not None else None

    def save(self, folder: Path) -> None:
        """Write the vectors."""
        np.save(folder / self.FILE, self.names, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None) -> Self:
        """Read what `save` wrote; `encoder` is the folder of the bundle's encoder, None where it is gone."""
        names = np.load(folder / cls.FILE, allow_pickle=False)
        tokenizer = encoder / TOKENIZER_FILE if encoder is not None else None
        return cls(names, tokenizer if tokenizer is not None and tokenizer.is_file() else None)
