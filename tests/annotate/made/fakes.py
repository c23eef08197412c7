"""Stand-ins for parts of training that take long or need weights: other objects with the same methods."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from training.selection import PoolView, Selection
from training.types import FloatArray


def most_unsure(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    assert pool.scores is not None
    top = pool.scores.max(axis=1)
    order = np.argsort(top, kind="stable")[:n]
    return Selection(order, top[order])


def first_rows(pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
    return Selection(np.arange(min(n, pool.size)), np.zeros(min(n, pool.size), np.float32))


class HashEmbedder:
    """A vector per text from its digest; counts what it was asked for."""

    fingerprint = "f" * 64
    dimension = 8

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        return np.array([self._vector(text) for text in texts], np.float32).reshape(
            len(texts), self.dimension
        )

    def _vector(self, text: str) -> FloatArray:
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        vector = np.random.default_rng(seed).normal(size=self.dimension)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)
