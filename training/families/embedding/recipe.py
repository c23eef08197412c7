"""How the embedding family learns: a teacher on smoothed vectors, and the student that is published."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from training.families.shared import imbalance as imbalances
from training.families.shared.heads import Head, activate, fit_head
from training.types import FloatArray, IntArray, Task

PSEUDO_WEIGHT = 0.3  # a document that the teacher labelled counts less than a person's, which counts 1
SUREST = 0.9  # the teacher labels this share of the pool
PSEUDO_LIMIT = 10_000  # the teacher labels at most so many; more cost time and teach nothing new
# A label that the teacher says seldom counts more, within these bounds, as it says common labels too often.
# What this brought stands in docs/benchmarks.md.
RARE_WEIGHTS = (0.2, 5.0)
PENALTY_OF_STUDENT = 3.0  # times the usual penalty, because the student learns from many more documents


@dataclass(frozen=True, slots=True)
class Parts:
    """Which parts of the recipe are used, and how strongly weights are pulled to zero."""

    names: bool
    neighbours: bool
    student: bool
    penalty: float


@dataclass(frozen=True, slots=True)
class Material:
    """What is learned from, as vectors. Rows of `smoothed` arrays are those of the plain ones.

    What is not there is None.
    """

    task: Task
    vectors: FloatArray  # (documents, dimension)
    targets: FloatArray  # (documents, labels)
    names: FloatArray | None = None  # (labels, dimension)
    smoothed: FloatArray | None = None  # (documents, dimension)
    pool: FloatArray | None = None  # (pool, dimension)
    smoothed_pool: FloatArray | None = None  # (pool, dimension)
    weights: FloatArray | None = None  # (documents, 1) or (documents, labels); None is 1 for each

    def rows(self, chosen: IntArray) -> Material:
        """Return the material with only these labelled documents; the pool stays."""
        return replace(
            self,
            vectors=self.vectors[chosen],
            targets=self.targets[chosen],
            smoothed=None if self.smoothed is None else self.smoothed[chosen],
            weights=None if self.weights is None else self.weights[chosen],
        )

    def weighed(self) -> FloatArray:
        """Return the weights of the documents, (documents, 1) or (documents, labels)."""
        return np.ones((len(self.vectors), 1), np.float32) if self.weights is None else self.weights

    def with_pool(self, chosen: IntArray) -> Material:
        """Return the material with only these pool documents."""
        pool = None if self.pool is None else self.pool[chosen]
        smoothed = None if self.smoothed_pool is None else self.smoothed_pool[chosen]
        return replace(self, pool=pool, smoothed_pool=smoothed)


def rebalanced(material: Material, imbalance: str, rng: np.random.Generator) -> Material:
    """Return the material with weights, with documents left out, or with vectors made up for rare labels.

    It is only for fitting: scores and cross-validation must be of the documents as they are.
    """
    if imbalance == imbalances.BALANCED:
        return replace(material, weights=imbalances.balanced_weights(material.task, material.targets))
    if imbalance == imbalances.UNDERSAMPLE:
        return material.rows(imbalances.undersampled(material.targets, rng))
    if imbalance != imbalances.SMOTE:
        return material
    # Plain and smoothed vectors stand side by side in one array, so the same neighbours and steps mix both.
    views = [material.vectors] if material.smoothed is None else [material.vectors, material.smoothed]
    mixed, targets = imbalances.made_up(np.concatenate(views, axis=1), material.targets, rng)
    grown = []
    for old, new in zip(views, np.split(mixed, len(views), axis=1), strict=True):
        length = np.maximum(np.linalg.norm(new, axis=1, keepdims=True), 1e-12)
        grown.append(np.concatenate([old, np.asarray(new / length, np.float32)]))
    return replace(
        material,
        vectors=grown[0],
        smoothed=None if material.smoothed is None else grown[1],
        targets=np.concatenate([material.targets, targets]),
    )


def fit_plain(material: Material, parts: Parts, *, start: Head | None = None, iterations: int = 60) -> Head:
    """Fit on the documents' own vectors, and on the labels' names where `parts` says so."""
    return _fit(material, material.vectors, parts, start=start, iterations=iterations)


def fit_teacher(material: Material, parts: Parts, *, iterations: int = 40) -> Head:
    """Fit on smoothed vectors where `parts` says so, else as the plain head."""
    return _fit(material, seen_by_teacher(material, parts)[0], parts, iterations=iterations)


def seen_by_teacher(material: Material, parts: Parts) -> tuple[FloatArray, FloatArray | None]:
    """Return the vectors of the documents and of the pool as the teacher gets them."""
    if parts.neighbours and material.smoothed is not None:
        return material.smoothed, material.smoothed_pool
    return material.vectors, material.pool


def fit_student(
    material: Material,
    parts: Parts,
    teacher: Head,
    rng: np.random.Generator,
    *,
    start: Head | None = None,
    iterations: int = 40,
    limit: int = PSEUDO_LIMIT,
) -> Head:
    """Fit on plain vectors: true labels, names, and what the teacher says of the pool that it is surest of.

    This is self-training with a weighted second view of the texts (Yarowsky, 1995), for single-label only.
    If the pool is larger than `limit`, a random part of it stands for the whole.
    """
    seen = seen_by_teacher(material, parts)[1]
    assert material.pool is not None
    assert seen is not None
    rows = np.arange(len(seen))
    if len(rows) > limit:
        rows = rng.choice(len(rows), limit, replace=False)
    scores = activate(material.task, teacher.logits(seen[rows]))
    sure = np.argsort(-scores.max(axis=1), kind="stable")[: int(SUREST * len(rows))]
    said = np.zeros((len(sure), scores.shape[1]), np.float32)
    said[np.arange(len(sure)), scores[sure].argmax(axis=1)] = 1.0
    weight = PSEUDO_WEIGHT * min(len(seen), PSEUDO_LIMIT) / max(len(rows), 1)
    extra = (material.pool[rows[sure]], said, weight * _rare_weights(said))
    return _fit(material, material.vectors, parts, start=start, iterations=iterations, extra=extra)


def _rare_weights(said: FloatArray) -> FloatArray:
    """Return weights (documents, 1) of mean 1, by 0/1 labels (documents, labels), that favour rare ones."""
    counts = said.sum(axis=0)
    used = counts[counts > 0]
    if not len(used):
        return np.ones((len(said), 1), np.float32)
    weights = said @ np.clip(used.mean() / np.maximum(counts, 1), *RARE_WEIGHTS)
    return np.asarray(weights / weights.mean(), np.float32)[:, None]


def _fit(
    material: Material,
    vectors: FloatArray,
    parts: Parts,
    *,
    start: Head | None = None,
    iterations: int,
    extra: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> Head:
    inputs, targets = [vectors], [material.targets]
    weights = [material.weighed()]
    if parts.names and material.names is not None:
        inputs.append(material.names)
        targets.append(np.eye(len(material.names), dtype=np.float32))
        weights.append(np.ones((len(material.names), 1), np.float32))
    penalty = parts.penalty
    if extra is not None:
        inputs.append(extra[0])
        targets.append(extra[1])
        weights.append(extra[2])
        penalty *= PENALTY_OF_STUDENT
    width = max(block.shape[1] for block in weights)  # 1, or a column for each label
    return fit_head(
        material.task,
        np.concatenate(inputs),
        np.concatenate(targets),
        np.concatenate([np.broadcast_to(block, (len(block), width)) for block in weights]),
        penalty=penalty,
        start=start,
        iterations=iterations,
    )
