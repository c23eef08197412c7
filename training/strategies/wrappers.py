"""Random order, and what the site wraps around every strategy: diversity and a share of random texts."""

from __future__ import annotations

from functools import partial

import numpy as np

from training.protocol import QueryStrategy
from training.registry import STRATEGIES, entry
from training.selection import PoolView, Selection
from training.strategies.diversity import diverse
from training.threads import one_thread


def random_order(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose at random: the baseline that every strategy has to beat."""
    indices = rng.permutation(pool.size)[:n].astype(np.int64)
    return Selection(indices, np.zeros(len(indices), np.float32), np.ones(len(indices), bool))


def choose_batch(
    key: str, pool: PoolView, n: int, rng: np.random.Generator, *, random_share: float = 0.0
) -> Selection:
    """Choose with the strategy of `key`, spread over clusters, and fill a share of the places at random.

    Random texts find what a model is wrongly sure of. A strategy that looks at no scores is not spread over
    clusters: k-means is already, and random order has to stay random. For spans it brought nothing.
    """
    strategy = entry(STRATEGIES, key)
    base: QueryStrategy = strategy.load()
    wanted = min(n, pool.size)
    strays = int(rng.binomial(wanted, random_share))
    choose = partial(diverse, base) if strategy.reads_scores and strategy.spreads else base
    with one_thread():
        chosen = choose(pool, wanted - strays, rng)
    rest = np.setdiff1d(np.arange(pool.size), chosen.indices)
    added = rng.permutation(rest)[:strays].astype(np.int64)
    indices = np.concatenate([chosen.indices, added])
    scores = np.concatenate([chosen.scores, np.zeros(len(added), np.float32)])
    order = rng.permutation(len(indices)) if strays else np.arange(len(indices))
    is_random = np.append(np.isin(chosen.indices, chosen.drawn), np.ones(len(added), bool))
    return Selection(indices[order], scores[order], is_random[order])
