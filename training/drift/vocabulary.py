"""Words that texts of before had: the share of others tells of a traffic with new words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from training.preprocess.words import words


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Known words as sorted checksums (words,), so that it is small and holds no text.

    Of a million words that are new, about twelve are taken for known ones where 50,000 are known.
    """

    checksums: NDArray[np.uint32]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the words of the texts, whatever their case."""
        found = {checksum for text in texts for checksum in _checksums(text)}
        return cls(np.array(sorted(found), np.uint32))

    @classmethod
    def load(cls, content: bytes) -> Self:
        """Return what `dump` wrote."""
        return cls(np.frombuffer(content, "<u4").astype(np.uint32))

    def dump(self) -> bytes:
        return self.checksums.astype("<u4").tobytes()

    def unknown(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the share of unknown words of each text (texts,); 0 for one without words."""
        shares = np.zeros(len(texts))
        for i, text in enumerate(texts):
            found = np.array(_checksums(text), np.uint32)
            if len(found):
                shares[i] = 1 - np.isin(found, self.checksums).mean()
        return shares


def _checksums(text: str) -> list[int]:
    lowered = text.casefold()
    pieces = (lowered[start:end] for start, end in words(lowered))
    # A sign is a word as well, where it stands alone; it is no news.
    return [crc32(piece.encode("utf-8", "surrogatepass")) for piece in pieces if piece[0].isalnum()]
