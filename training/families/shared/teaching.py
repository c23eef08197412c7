"""Learning from a teacher: from its probabilities if a family takes them, else from its surest decisions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.protocol import LearnsSoftly, TextModel
from training.types import Dataset, FloatArray, Taught

SUREST = 0.9  # hard labels are taken from this share of the texts
_OF_A_FOLD = 2_000  # taught texts are enough for the student of one fold, which only serves to calibrate


def fit_taught(model: TextModel, dataset: Dataset, *, valid: Dataset) -> TextModel:
    """Fit `model` on the labelled documents, and on what a teacher said where `dataset` has that."""
    if dataset.taught is None:
        return model.fit(dataset, valid=valid)
    if isinstance(model, LearnsSoftly):
        model.fit_softly(dataset, valid=valid)
        return model
    return model.fit(with_surest(dataset), valid=valid)


def with_scores(dataset: Dataset) -> Dataset:
    """Return the labelled documents, then the taught ones with soft targets (Hinton et al., 2015)."""
    taught = dataset.taught
    return dataset if taught is None else _joined(dataset, taught.texts, taught.scores)


def with_surest(dataset: Dataset) -> Dataset:
    """Return the labelled documents, then the taught ones that the teacher is surest of, with 0/1 targets."""
    taught = dataset.taught
    if taught is None:
        return dataset
    sureness = dataset.schema.task.confidence(taught.scores)
    kept = np.sort(np.argsort(-sureness, kind="stable")[: int(SUREST * len(taught.texts))])
    return _joined(dataset, tuple(taught.texts[i] for i in kept), taught.decisions[kept])


def with_fewer(dataset: Dataset) -> Dataset:
    """Return the dataset with at most 2,000 of the taught texts, evenly spaced."""
    taught = dataset.taught
    if taught is None or len(taught.texts) <= _OF_A_FOLD:
        return dataset
    rows = np.linspace(0, len(taught.texts) - 1, _OF_A_FOLD).astype(np.int64)
    kept = Taught(tuple(taught.texts[i] for i in rows), taught.scores[rows], taught.decisions[rows])
    return replace(dataset, taught=kept)


def _joined(dataset: Dataset, texts: tuple[str, ...], targets: FloatArray) -> Dataset:
    targets = np.concatenate([dataset.targets, targets])
    return replace(dataset, texts=dataset.texts + texts, targets=targets, taught=None)
