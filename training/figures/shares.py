"""How much of a whole collection each label is: the holdout says it, a model over all texts makes it sharper.

To count what a model says would count its mistakes as well. The holdout tells how far the model is off, and
by how much it can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.figures.evidence import Z, wilson

# Documents of a label that are missed, and as many that are added, beside those of the holdout: where it
# shows no mistake of a rare label, there may be some.
_UNSEEN = 0.25

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of labels with 95 % intervals, (labels,) each.

    `alone_low` and `alone_high` are what the holdout says without a model. `trust` is how much the model
    counts, from 0 to 1. `documents` is the size of the holdout.
    """

    share: Values
    low: Values
    high: Values
    alone_low: Values
    alone_high: Values
    trust: Values
    documents: int


def label_shares(
    targets: NDArray[np.generic], said: NDArray[np.generic], pool: NDArray[np.generic]
) -> Shares:
    """Return the shares by labels of the holdout and what one model says of the holdout and of the pool.

    `targets` (documents, labels) are 0 or 1; `said` of the same documents and `pool` (texts, labels) are
    decisions or calibrated scores. The holdout has to be drawn at random from what the pool is. Prediction-
    powered inference (Angelopoulos et al., 2023) with the trust that makes it sharpest (Angelopoulos, Duchi
    and Zrnic, "PPI++", 2023): it is never wider than the holdout alone, whose score interval (Wilson, 1927)
    it moves and shrinks. So rare labels, of which the holdout has none or two, keep an interval.
    """
    true, given, over = (np.asarray(values, np.float64) for values in (targets, said, pool))
    documents, texts = len(true), len(over)
    labels = true.shape[1]
    if not documents:
        nothing, all_ = np.zeros(labels), np.ones(labels)
        return Shares(np.full(labels, np.nan), nothing, all_, nothing, all_, nothing, 0)
    alone = true.mean(axis=0)
    low, high = wilson(alone, documents)
    half = (high - low) / 2
    trust, share, narrower = np.zeros(labels), alone, np.ones(labels)
    if texts:
        centred = given - given.mean(axis=0)
        # What is said varies as in both together: the holdout may have none of a rare label.
        spread = np.concatenate([given, over]).var(axis=0)
        covary = ((true - alone) * centred).sum(axis=0)
        trust = np.clip(covary / (spread * documents * (1 + documents / texts) + _UNSEEN), 0.0, 1.0)
        missing = ((true - alone - trust * centred) ** 2).sum(axis=0) + _UNSEEN * (1 + trust**2)
        error = np.sqrt(missing / documents**2 + trust**2 * spread / texts)
        # Where chance would make it wider, the model is left out.
        trust = np.where(Z * error < half, trust, 0.0)
        narrower = np.where(trust > 0, Z * error / half, 1.0)
        share = alone + trust * (over.mean(axis=0) - given.mean(axis=0))
    middle, half = share + ((low + high) / 2 - alone) * narrower, half * narrower
    return Shares(
        share=np.clip(share, 0.0, 1.0),
        low=np.clip(np.minimum(middle - half, share), 0.0, 1.0),
        high=np.clip(np.maximum(middle + half, share), 0.0, 1.0),
        alone_low=low,
        alone_high=high,
        trust=trust,
        documents=documents,
    )
