"""Distillation: a strong model labels a team's unlabelled texts, and a cheap model learns from those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from training.bundles.cascade import Serving
from training.bundles.span_predictor import SpanPredictor
from training.export.spans import said_in_parts
from training.preprocess.word_encoder import WordEncoder
from training.spans import SpanDataset, TaughtSpans
from training.splits import split_key
from training.tagging.decode import biased
from training.tasks.joint import schema_of
from training.types import Dataset, Embedder, Schema, Taught, TrainingError

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
    _check(teacher.schema, labelled.schema, texts)
    parts = []
    for start in range(0, len(texts), _AT_ONCE):
        parts.append(teacher.predict_proba(texts[start : start + _AT_ONCE], embedder=embedder))
        tell(min(1.0, (start + _AT_ONCE) / len(texts)))
    scores = np.concatenate(parts)
    decisions = teacher.schema.task.decide(scores, teacher.thresholds)
    return replace(labelled, taught=Taught(tuple(texts), scores, decisions.astype(np.float32)))


def teach_spans(
    teacher: SpanPredictor,
    labelled: SpanDataset,
    texts: Sequence[str],
    *,
    encoder: WordEncoder | None = None,
    tell: Callable[[float], None] = lambda done: None,
) -> SpanDataset:
    """Return labelled texts with spans together with a bundle's answers to `texts`, as `teach` does."""
    _check(teacher.schema, schema_of(labelled), texts)
    decoder = teacher.decoder
    said = said_in_parts(teacher, texts, encoder=encoder, tell=tell)
    of_texts = [one.whole for one in said] if decoder.whole is None else decoder.whole.scores(said)
    taught = tuple(
        replace(one, logs=biased(one.logs, decoder.bias), whole=scores)
        for one, scores in zip(said, of_texts, strict=True)
    )
    return replace(labelled, taught=TaughtSpans(tuple(texts), taught))


def _check(teacher: Schema, labelled: Schema, texts: Sequence[str]) -> None:
    if labelled.keys != teacher.keys or labelled.task is not teacher.task:
        raise TrainingError("The documents have other labels than the teacher; train the teacher again.")
    if not texts:
        raise TrainingError(
            "The pool has no text beside the labelled ones and those measured on: add unlabelled texts."
        )


def unlabelled(pool: Sequence[str], *others: Dataset | SpanDataset) -> tuple[str, ...]:
    """Return each of the pool's texts once, without texts and near duplicates that `others` have."""
    seen = {split_key(text) for dataset in others for text in dataset.texts}
    fresh: dict[str, str] = {}
    for text in pool:
        fresh.setdefault(split_key(text), text)
    return tuple(text for key, text in fresh.items() if key not in seen)


def recovered(alone: float | None, student: float | None, teacher: float | None) -> float | None:
    """Return which share of the gap in F1 between the student alone and its teacher is closed.

    None where a figure is missing or there is no gap to close.
    """
    if alone is None or student is None or teacher is None or teacher <= alone:
        return None
    return (student - alone) / (teacher - alone)
