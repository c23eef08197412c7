"""What query strategies look at in a text whose words a model tagged: three numbers for each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.selection import WORD_SIGNS
from training.spans import WordScores
from training.tagging.decode import viterbi_of_all
from training.tagging.whole import LabelDecoder
from training.types import FloatArray


def signs(found: Sequence[WordScores], whole: LabelDecoder | None = None) -> FloatArray:
    """Return `WORD_SIGNS` of each text (texts, 3); a text without words is sure and empty.

    With a decoder of labels of whole texts a fourth column says how sure the least sure of them is.
    """
    rows = np.tile(np.array([[1.0, 0.0, 0.0]], np.float32), (len(found), 1))
    paths = viterbi_of_all([said.logs for said in found])
    for row, said, tags in zip(rows, found, paths, strict=True):
        if not len(said.logs):
            continue
        shares = np.exp(said.logs)  # (words, tags)
        best = np.sort(shares, axis=1)[:, -2:]
        row[:] = (
            (best[:, 1] - best[:, 0]).min(),
            (1 - shares[:, 0]).mean(),
            said.logs[np.arange(len(tags)), tags].mean(),
        )
    assert rows.shape[1] == len(WORD_SIGNS)
    return rows if whole is None else np.hstack([rows, whole.margins(found)[:, None]])
