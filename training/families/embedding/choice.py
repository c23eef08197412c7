"""Which parts of the recipe are used: each must not lose by cross-validation on the labels at hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from training.families.embedding.recipe import (
    Material,
    Parts,
    fit_plain,
    fit_student,
    fit_teacher,
    seen_by_teacher,
)
from training.types import FloatArray, IntArray, ScoreKind, Task

FOLDS = 3
ENOUGH = 30  # labelled documents; fewer tell too little, and the parts help most when labels are few
_AT_MOST = 1_000  # labelled documents that are looked at
_POOL = 2_000  # pool documents that a trial student learns from
_ITERATIONS = 25
USUAL_PENALTY = {ScoreKind.EXCLUSIVE: 0.01, ScoreKind.INDEPENDENT: 0.1}
PENALTIES = {ScoreKind.EXCLUSIVE: (0.01, 0.1, 1.0), ScoreKind.INDEPENDENT: (0.03, 0.1, 0.3, 1.0)}


def choose_parts(material: Material, wanted: Parts, rng: np.random.Generator) -> Parts:
    """Return `wanted` without the parts that lose by more than one standard error.

    A penalty of 0 is replaced by the best one. Neighbours and student are not used in multi-label tasks: on
    two data sets they lost there, while names gained as much as with a single label.
    """
    parts = possible_parts(material, wanted)
    documents = len(material.vectors)
    if documents < ENOUGH or int(material.targets.any(axis=0).sum()) < 2:
        return parts
    if len(material.vectors) > _AT_MOST:
        material = material.rows(rng.choice(len(material.vectors), _AT_MOST, replace=False))
    if material.pool is not None and len(material.pool) > _POOL:
        material = material.with_pool(rng.choice(len(material.pool), _POOL, replace=False))
    judge = _Judge(material, _deal(material.targets, rng), rng)
    parts = judge.with_names_or_without(parts, searches=not wanted.penalty)
    for part in ("neighbours", "student"):
        if getattr(parts, part):
            parts = judge.kept_or_dropped(parts, part)
    return (
        parts if wanted.penalty else replace(parts, penalty=parts.penalty * _growth(material.task, documents))
    )


def usual_parts(material: Material, wanted: Parts) -> Parts:
    """Return what `choose_parts` would return if the labels did not speak against any part."""
    parts = possible_parts(material, wanted)
    growth = 1.0 if wanted.penalty else _growth(material.task, len(material.vectors))
    return replace(parts, penalty=parts.penalty * growth)


def _growth(task: Task, documents: int) -> float:
    """Return by how much the penalty found on 1,000 documents is multiplied for more of them.

    The losses of documents add up, so the same penalty weighs less. On 77 classes and 10,003 documents
    macro-F1 was 0.924 with the penalty found on 1,000, and 0.930 with ten times as much. It stays as it is
    for multi-label, where this was not measured.
    """
    return max(1.0, documents / _AT_MOST) if task.exclusive else 1.0


def possible_parts(material: Material, wanted: Parts) -> Parts:
    """Return `wanted` without parts that the material does not have, and with the usual penalty for 0."""
    single, has_pool = material.task.exclusive, material.pool is not None
    return Parts(
        names=wanted.names and material.names is not None,
        neighbours=wanted.neighbours and single and has_pool and material.smoothed is not None,
        student=wanted.student and single and has_pool,
        penalty=wanted.penalty or USUAL_PENALTY[material.task.score_kind],
    )


class _Judge:
    """Scores ways to learn on the same folds, each once."""

    def __init__(self, material: Material, folds: IntArray, rng: np.random.Generator) -> None:
        self._material = material
        self._folds = folds
        self._seed = int(rng.integers(2**31))
        self._known: dict[tuple[str, Parts], FloatArray] = {}

    def best_penalty(self, parts: Parts) -> Parts:
        """Return the parts with the penalty that wins; the usual one unless another is clearly better."""
        best = parts
        for penalty in PENALTIES[self._material.task.score_kind]:
            other = replace(parts, penalty=penalty)
            if _gain(self._worth("plain", other), self._worth("plain", best)) > 0:
                best = other
        return best

    def with_names_or_without(self, parts: Parts, *, searches: bool) -> Parts:
        """Return the parts without names if these lose, either with its own penalty where it `searches` one.

        NB: the penalty that makes the best of wrong names is so strong that a model without them looks no
        better under it. On 77 classes two of four seeds fell to a macro-F1 of 0.10 by that.
        """
        best = self.best_penalty(parts) if searches else parts
        if not parts.names:
            return best
        without = replace(parts, names=False)
        without = self.best_penalty(without) if searches else without
        return without if _gain(self._worth("plain", without), self._worth("plain", best)) > 0 else best

    def kept_or_dropped(self, parts: Parts, part: str) -> Parts:
        """Return the parts without `part` if it loses, judged by the model that it is there for."""
        without = replace(parts, **{part: False})
        if part == "student":
            loss = _gain(self._worth("plain", parts), self._worth("student", parts))
        else:
            loss = _gain(self._worth("teacher", without), self._worth("teacher", parts))
        return without if loss > 0 else parts

    def _worth(self, kind: str, parts: Parts) -> FloatArray:
        # A way to learn looks at some of the parts only, so its figures are kept by these alone.
        if kind == "plain":
            key = kind, replace(parts, neighbours=False, student=False)
        else:
            key = kind, replace(parts, student=kind == "student")
        if key not in self._known:
            logits = np.zeros_like(self._material.targets)
            for fold in range(FOLDS):
                held = np.flatnonzero(self._folds == fold)
                learn = np.flatnonzero(self._folds != fold)
                logits[held] = _try(kind, self._material.rows(learn), self._material.rows(held), parts)
            self._known[key] = _worth(self._material, logits)
        return self._known[key]


def _try(kind: str, learn: Material, held: Material, parts: Parts) -> FloatArray:
    """Learn from `learn` as a "plain" head, a "teacher" or its "student"; return the logits of `held`."""
    if kind == "plain":
        return fit_plain(learn, parts, iterations=_ITERATIONS).logits(held.vectors)
    teacher = fit_teacher(learn, parts, iterations=_ITERATIONS)
    if kind == "teacher":
        return teacher.logits(seen_by_teacher(held, parts)[0])
    rng = np.random.default_rng(0)
    return fit_student(learn, parts, teacher, rng, iterations=_ITERATIONS).logits(held.vectors)


def _deal(targets: FloatArray, rng: np.random.Generator) -> IntArray:
    """Return a fold for each document, documents of the same labels spread over the folds."""
    order = rng.permutation(len(targets))
    _, first, group = np.unique(targets[order], axis=0, return_index=True, return_inverse=True)
    # They are sorted by where their labels occur first, so the order of the labels does not matter.
    order = order[np.argsort(first[group.ravel()], kind="stable")]
    folds = np.empty(len(targets), np.int64)
    folds[order] = np.arange(len(targets)) % FOLDS
    return folds


def _worth(material: Material, logits: FloatArray) -> FloatArray:
    """Return what is compared: whether each document is right, or each label's average precision."""
    if material.task.exclusive:
        return np.asarray(logits.argmax(axis=1) == material.targets.argmax(axis=1), np.float32)
    often = np.flatnonzero(material.targets.sum(axis=0) >= 2)
    return np.array([_average_precision(logits[:, j], material.targets[:, j] > 0) for j in often], np.float32)


def _average_precision(scores: FloatArray, true: NDArray[np.bool_]) -> float:
    ordered = true[np.argsort(-scores, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float(precision[ordered].mean())


def _gain(one: FloatArray, other: FloatArray) -> float:
    """Return by how much `one` is better beyond one standard error of the paired difference."""
    difference = one - other
    if len(difference) < 2:
        return 0.0
    return float(difference.mean() - difference.std(ddof=1) / np.sqrt(len(difference)))
