"""How much of its texts an encoder reads: in one go, in windows, or only their beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from training.types import Embedder

_LOOKED_AT = 1_000  # texts; a share needs no more, and tokenising is most of what a warm fit would wait for


@dataclass(frozen=True, slots=True)
class Reading:
    """Of so many texts, how many have several windows, and how many go on behind the last one."""

    texts: int
    windowed: int
    truncated: int


@runtime_checkable
class ReadsInWindows(Protocol):
    """An embedder that cuts long texts into windows and tells of how many it did."""

    def reading(self, texts: Sequence[str]) -> Reading | None:
        """Return how the texts are read, None where the encoder behind the embedder cannot tell."""


def reading_shares(embedder: Embedder, texts: Sequence[str]) -> dict[str, float]:
    """Return the shares `windowed_texts` and `truncated_texts` in [0, 1], nothing where they are not known.

    Of many texts 1,000, spread evenly, stand for all.
    """
    looked_at = texts[:: -(-len(texts) // _LOOKED_AT)] if texts else texts
    found = embedder.reading(looked_at) if isinstance(embedder, ReadsInWindows) and texts else None
    if found is None:
        return {}
    return {
        "windowed_texts": found.windowed / found.texts,
        "truncated_texts": found.truncated / found.texts,
    }
