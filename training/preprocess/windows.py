"""How much of its texts an encoder reads: all in one window, all in several, or only their beginning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from training.types import Embedder

# Texts. More would hardly change the shares, and with stored vectors a fit would mostly wait for tokenising.
_LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True)
class Reading:
    """How many texts were looked at, have several windows, and are longer than all their windows."""

    texts: int
    windowed: int
    truncated: int


@runtime_checkable
class ReadsInWindows(Protocol):
    """An embedder that cuts long texts into windows and tells how many texts it cut."""

    def reading(self, texts: Sequence[str]) -> Reading | None:
        """Return how the texts are read, None where the encoder behind the embedder cannot tell."""


def reading_shares(embedder: Embedder, texts: Sequence[str]) -> dict[str, float]:
    """Return the shares `windowed_texts` and `truncated_texts` in [0, 1]; empty where they are not known.

    Where there are more than 1,000 texts, 1,000 spread evenly stand for all.
    """
    looked_at = texts[:: -(-len(texts) // _LOOKED_AT)] if texts else texts
    found = embedder.reading(looked_at) if isinstance(embedder, ReadsInWindows) and texts else None
    if found is None:
        return {}
    return {
        "windowed_texts": found.windowed / found.texts,
        "truncated_texts": found.truncated / found.texts,
    }
