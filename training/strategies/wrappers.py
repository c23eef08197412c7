"""Random order, and what the site wraps around every strategy: diversity, novel texts and random ones."""

from __future__ import annotations

from functools import partial

import numpy as np

from training.protocol import QueryStrategy
from training.registry import STRATEGIES, entry
from training.selection import PoolView, Selection
from training.strategies.diversity import diverse
from training.strategies.novelty import can_tell, unlike_labelled
from training.threads import one_thread


def random_order(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose at random: the baseline that every strategy has to beat."""
    indices = rng.permutation(pool.size)[:n].astype(np.int64)
    return Selection(indices, np.zeros(len(indices), np.float32), np.ones(len(indices), bool))


def choose_batch(
    key: str,
    pool: PoolView,
    n: int,
    rng: np.random.Generator,
    *,
    random_share: float = 0.0,
    novel_share: float = 0.0,
) -> Selection:
    """Choose with the strategy of `key`, spread over clusters, and fill shares of the places otherwise.

    Texts that are unlike what has a label find what a model cannot know, and random ones keep a fair sample.
    A strategy that looks at no scores is not spread over clusters: k-means is already, and random order has
    to stay random. It has no novel texts either, nor has one before any text has a label. For spans both
    brought nothing.
    """
    strategy = entry(STRATEGIES, key)
    base: QueryStrategy = strategy.load()
    wanted = min(n, pool.size)
    strays = int(rng.binomial(wanted, random_share))
    spreads = strategy.reads_scores and strategy.spreads
    unlike = int(rng.binomial(wanted - strays, novel_share)) if spreads and can_tell(pool) else 0
    choose = partial(diverse, base) if spreads else base
    with one_thread():
        chosen = choose(pool, wanted - strays, rng)
        novel = unlike_labelled(pool, unlike, rng, taken=chosen.indices)
    kept = len(chosen.indices) - len(novel)  # the least wanted ones give way
    taken = np.concatenate([chosen.indices[:kept], novel])
    added = rng.permutation(np.setdiff1d(np.arange(pool.size), taken))[:strays].astype(np.int64)
    indices = np.concatenate([taken, added])
    scores = np.concatenate([chosen.scores[:kept], np.zeros(len(indices) - kept, np.float32)])
    order = rng.permutation(len(indices)) if strays or len(novel) else np.arange(len(indices))
    is_random = np.append(np.isin(taken, chosen.drawn), np.ones(len(added), bool))
    is_novel = np.isin(indices, novel)
    return Selection(indices[order], scores[order], is_random[order], is_novel[order])
