"""What a query strategy may look at, and what it chooses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.types import FloatArray, IntArray

WORD_SIGNS = ("token_margin", "entity_mass", "mnlp")
"""The columns of a pool's scores where a task's scores are of words: see `training.tagging.signs`."""
LABEL_MARGIN = len(WORD_SIGNS)
"""The column behind them where a task has labels of whole documents too: how sure the least sure one is."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """What a query strategy may look at; row i of every array is the same unlabelled document.

    `scores` (documents, labels) and `thresholds` (labels,) are None before the first model, `vectors`
    (documents, dimension) is None before texts are embedded. `label_counts` (labels,) are the positives
    labelled so far. `labelled` (labelled documents, dimension) are the vectors of texts that have a label, by
    the same encoder; None where they are not known. `names` (labels, dimension) are those of the labels'
    names, by that encoder too; None where they do not matter.
    """

    size: int
    scores: FloatArray | None
    vectors: FloatArray | None
    thresholds: FloatArray | None
    label_counts: IntArray
    labelled: FloatArray | None = None
    names: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen rows of a pool, the most wanted first, with the score each was chosen for.

    `random` (chosen,) tells which were drawn at random, and `novel` (chosen,) which were chosen because they
    are unlike what has a label; None where none was.
    """

    indices: IntArray  # (chosen,)
    scores: FloatArray  # (chosen,)
    random: NDArray[np.bool_] | None = None
    novel: NDArray[np.bool_] | None = None

    @property
    def drawn(self) -> IntArray:
        """The rows that were drawn at random."""
        return self.indices[:0] if self.random is None else self.indices[self.random]

    @property
    def unlike(self) -> IntArray:
        """The rows that are unlike what has a label."""
        return self.indices[:0] if self.novel is None else self.indices[self.novel]
