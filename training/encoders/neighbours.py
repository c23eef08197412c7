"""Finds the nearest texts of each text, exactly up to 100,000 rows and approximately beyond."""

from __future__ import annotations

import numpy as np

from training.threads import one_thread
from training.types import FloatArray, Neighbours, TrainingError

EXACT_ROWS = 100_000
_BLOCK_CELLS = 20_000_000  # similarities held in memory at once; they take 80 MB


def nearest(vectors: FloatArray, k: int = 10, *, exact_rows: int = EXACT_ROWS) -> Neighbours:
    """Return the k rows of the highest cosine for each unit vector (rows, dimension), best first.

    A row is not its own neighbour, but equal texts are each other's. With fewer than k + 1 rows there are
    as many columns as there are other rows.
    """
    found = nearest_to(vectors, vectors, min(k + 1, len(vectors)), exact_rows=exact_rows)
    own = found.indices == np.arange(len(found.indices))[:, None]
    own[~own.any(axis=1), -1:] = True  # where equal texts pushed a row's own column out, the last one goes
    # A row's own column goes behind all others, and then it is cut off.
    order = np.argsort(own, axis=1, kind="stable")[:, : min(k, max(len(vectors) - 1, 0))]
    return Neighbours(
        np.take_along_axis(found.indices, order, axis=1),
        np.take_along_axis(found.similarities, order, axis=1),
    )


def nearest_to(
    queries: FloatArray, vectors: FloatArray, k: int = 10, *, exact_rows: int = EXACT_ROWS
) -> Neighbours:
    """Return for each query its k nearest rows of `vectors` by cosine, best first, as (queries, k)."""
    wanted = min(k, len(vectors))
    if not wanted or not len(queries):
        shape = (len(queries), wanted)
        return Neighbours(np.zeros(shape, np.int64), np.zeros(shape, np.float32))
    if len(vectors) > exact_rows:
        return _approximate(queries, vectors, wanted)
    with one_thread():
        return _exact(queries, vectors, wanted)


def _exact(queries: FloatArray, vectors: FloatArray, wanted: int) -> Neighbours:
    """Compare each query with every row."""
    block = max(1, _BLOCK_CELLS // len(vectors))
    indices = np.empty((len(queries), wanted), np.int64)
    similarities = np.empty((len(queries), wanted), np.float32)
    for start in range(0, len(queries), block):
        here = slice(start, start + block)
        cosines = queries[here] @ vectors.T  # (queries of the block, rows)
        if wanted < len(vectors):
            rows = np.argpartition(cosines, len(vectors) - wanted, axis=1)[:, -wanted:]
        else:
            rows = np.broadcast_to(np.arange(wanted), cosines.shape)
        found = np.take_along_axis(cosines, rows, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        indices[here] = np.take_along_axis(rows, order, axis=1)
        similarities[here] = np.take_along_axis(found, order, axis=1)
    return Neighbours(indices, similarities)


def smooth(
    vectors: FloatArray, neighbours: Neighbours, *, share: float = 0.5, power: float = 3.0
) -> FloatArray:
    """Mix each unit vector with the mean of its neighbours, weighted by a power of their similarity.

    Returns unit vectors (rows, dimension). A row without neighbours stays as it is.
    """
    from scipy.sparse import csr_matrix

    rows, k = neighbours.indices.shape
    weights = np.maximum(neighbours.similarities, 0.0) ** power
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    ends = np.arange(rows + 1) * k
    table = csr_matrix((weights.ravel(), neighbours.indices.ravel(), ends), shape=(rows, len(vectors)))
    mixed = (1.0 - share) * vectors[:rows] + share * _unit(table @ vectors)
    return _unit(np.asarray(mixed, np.float32))


def _approximate(queries: FloatArray, vectors: FloatArray, k: int) -> Neighbours:
    """Search by a small-world graph (Malkov and Yashunin, 2016); it finds about 99 % of true neighbours."""
    try:
        import faiss
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"Neighbours of more than {EXACT_ROWS:,} texts need faiss: run pip install '.[train]'."
        ) from error
    index = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = 80, max(64, 2 * k)
    with one_thread():
        index.add(np.ascontiguousarray(vectors))
        similarities, rows = index.search(np.ascontiguousarray(queries), k)
    # NB: the search marks places that it could not fill with -1; they get a neighbour of weight 0.
    similarities[rows < 0] = 0.0
    return Neighbours(np.maximum(rows, 0).astype(np.int64), similarities.astype(np.float32))


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)
