"""Distillation: a strong model labels a team's unlabelled texts, and a cheap model learns from those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from training.bundles.cascade import Serving
from training.splits import split_key
from training.types import Dataset, Embedder, Taught, TrainingError

_AT_ONCE = 64  # texts that are scored before `tell` is called again


def teach(
    teacher: Serving,
    labelled: Dataset,
    texts: Sequence[str],
    *,
    embedder: Embedder | None = None,
    tell: Callable[[float], None] = lambda done: None,
) -> Dataset:
    """Return the labelled documents together with a bundle's answers to `texts`, to be learned as well.

    Its calibrated scores, and its decisions by its own thresholds (Hinton et al., 2015). `labelled` may be
    empty. `tell` gets the share done every few texts; what it raises ends the teaching. Raises
    `TrainingError` without texts, or where the labels are not the teacher's.
    """
    if labelled.schema.keys != teacher.schema.keys or labelled.schema.task is not teacher.schema.task:
        raise TrainingError("The documents have other labels than the teacher; train the teacher again.")
    if not texts:
        raise TrainingError(
            "The pool has no text beside the labelled ones and those measured on: add unlabelled texts."
        )
    parts = []
    for start in range(0, len(texts), _AT_ONCE):
        parts.append(teacher.predict_proba(texts[start : start + _AT_ONCE], embedder=embedder))
        tell(min(1.0, (start + _AT_ONCE) / len(texts)))
    scores = np.concatenate(parts)
    decisions = teacher.schema.task.decide(scores, teacher.thresholds)
    return replace(labelled, taught=Taught(tuple(texts), scores, decisions.astype(np.float32)))


def unlabelled(pool: Sequence[str], *others: Dataset) -> tuple[str, ...]:
    """Return each of the pool's texts once, without texts and near duplicates that `others` have."""
    seen = {split_key(text) for dataset in others for text in dataset.texts}
    fresh: dict[str, str] = {}
    for text in pool:
        fresh.setdefault(split_key(text), text)
    return tuple(text for key, text in fresh.items() if key not in seen)


def recovered(alone: float | None, student: float | None, teacher: float | None) -> float | None:
    """Return which share of the gap in macro-F1 between the student alone and its teacher is closed.

    None where a figure is missing or there is no gap to close.
    """
    if alone is None or student is None or teacher is None or teacher <= alone:
        return None
    return (student - alone) / (teacher - alone)
