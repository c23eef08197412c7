"""What a preprocessor has to be, and the inputs that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from training.preprocess.places import TextParts
from training.types import Embedder

Feed = dict[str, NDArray[np.generic]]


class Preprocessor(Protocol):
    """Makes the inputs of a bundle's graph out of texts."""

    def feeds(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> Iterator[Feed]:
        """Yield graph inputs for all texts in order; the rows of their outputs are concatenated.

        A given `embedder` replaces the bundle's own encoder, so that stored vectors can be used.
        """

    def save(self, folder: Path) -> None:
        """Write the files that `load` reads."""

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote.

        `encoder` is the folder of the bundle's encoder, None where the bundle has none or it is not on this
        machine; a preprocessor that needs it says so only when it has to embed without an `embedder`.
        """


@runtime_checkable
class FindsParts(Protocol):
    """A preprocessor that knows from which parts of a text the features of its feed come."""

    def parts(self, text: str) -> TextParts:
        """Return the n-grams of a text, where each of them first stands, and the features that it brings."""
