"""Cross-fitting: what is said of labelled texts by encoders that were each tuned without some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from training.encoders.neighbours import nearest
from training.encoders.tuning_steps import can_be_tuned
from training.runs.pipeline import FOLDS, Folded, fit_model, rows_of
from training.splits import assign_folds
from training.threads import steady
from training.types import Dataset, Embedder, Pool, RunSpec

FOLD_POOL = 2_000  # unlabelled texts that the model of one fold learns from


class Tunes(Protocol):
    """Tunes an encoder on labelled texts and returns it; it tells the share done, and may raise to end."""

    def __call__(self, dataset: Dataset, tell: Callable[[float], None], /) -> Embedder: ...


@steady
def cross_fitted(
    spec: RunSpec, dataset: Dataset, tune: Tunes, tell: Callable[[float], None] = lambda done: None
) -> Folded | None:
    """Return raw scores of labelled documents by models whose encoder has not seen them either.

    A model that reads a tuned encoder is too sure of the texts that it was tuned on, by whichever of them its
    head was fitted. So for each fold an encoder is tuned on the other folds, and the family is fitted over it
    (cross-fitting: Chernozhukov et al., 2018). That takes as long as tuning `FOLDS` times.

    None where the documents cannot be folded, or no fold leaves enough texts to tune an encoder on.
    """
    if len(dataset) < 2 * FOLDS:
        return None
    rng = np.random.default_rng(spec.seed)
    folds = assign_folds(dataset, FOLDS, rng)
    pool: tuple[str, ...] = ()
    if dataset.pool is not None:
        chosen = rng.permutation(len(dataset.pool.texts))[:FOLD_POOL]
        pool = tuple(dataset.pool.texts[i] for i in chosen)
    fresh, filled = replace(spec, previous=None), np.unique(folds)
    kept: list[Folded] = []
    for done, fold in enumerate(filled):
        learn, rows = rows_of(dataset, folds != fold), np.flatnonzero(folds == fold)
        if not can_be_tuned(learn.targets.sum(axis=0)):
            continue
        embedder = tune(learn, lambda share, done=done: tell((done + share) / len(filled)))  # type: ignore[misc]
        if pool:
            near = nearest(embedder.embed(learn.texts + pool))
            learn = replace(learn, pool=Pool(pool, near))
        score = rows_of(dataset, rows)
        fitted = fit_model(fresh, learn, score, embedder)
        kept.append(Folded(rows, fitted.model.predict_proba(score.texts), score.targets))
    return Folded.joined(kept)
