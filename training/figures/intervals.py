"""95 % intervals of F1 that hold with few documents; `bench/figures/coverage.py` measures their coverage."""

from __future__ import annotations

import numpy as np

from training.figures.evidence import Values, wilson

RESAMPLES = 1_000
_PULL = 4.0  # documents with which all labels together speak for one of them
# What the variance is multiplied by, as it is itself estimated on few documents. With 1.2 five of 54 cells of
# `bench/figures/coverage.py` with one label a document lay below 0.93.
_CAUTION = 1.5


def of_labels(hits: Values, decided: Values, true: Values) -> tuple[Values, Values]:
    """Return the interval of each label's F1, (labels,) each, from its counts.

    F1 is 2 J / (1 + J), where J is the share of hits among the documents that have the label, were given it,
    or both (Hand, Christen and Kirielle, 2021). Of so many documents the hits are binomial, so the score
    interval of J becomes that of F1. Labels without any such document have 0-1.
    """
    union = decided + true - hits
    share = np.divide(hits, union, out=np.zeros_like(union), where=union > 0)
    low, high = wilson(share, union)
    # Rounding must not put a figure of 1 outside.
    ends = np.minimum(low, share), np.maximum(high, share)
    return 2 * ends[0] / (1 + ends[0]), 2 * ends[1] / (1 + ends[1])


def of_macro(
    hits: Values,
    decided: Values,
    true: Values,
    rng: np.random.Generator,
    *,
    exclusive: bool,
    resamples: int = RESAMPLES,
) -> tuple[float, float] | None:
    """Return the interval of the mean F1 of the labels with support; None where none has any.

    A parametric bootstrap (Efron and Tibshirani, 1993) draws hits and wrong decisions from a model in which
    labels with few documents are pulled towards all of them together, so that it knows of errors that were
    not seen yet. It gives the bias of the mean F1 and its variance; the latter makes the documents worth
    so many independent trials (Korn and Graubard, 1998), of which the score interval is taken. The mean
    itself always lies inside. `exclusive`: a missed label is a wrong decision for another one.
    """
    has = true > 0
    if not has.any():
        return None
    h, d, t = hits[has], decided[has], true[has]
    recall = (h + _PULL * (hits.sum() + 0.5) / (true.sum() + 1)) / (t + _PULL)
    wrong = decided - hits
    drawn = rng.binomial(t.astype(np.int64), recall, (resamples, len(t)))  # (resamples, labels)
    if exclusive:
        spread = wrong + _PULL * (wrong.sum() + 0.5) / len(true) / (t.mean() + _PULL)
        shares = spread / spread.sum()
        missed = t.sum() - drawn.sum(axis=1)
        mistaken = rng.multinomial(missed.astype(np.int64), shares)[:, has]
        expected = shares[has] * (t * (1 - recall)).sum()
    else:
        expected = t * ((d - h) + _PULL * (wrong.sum() + 0.5) / true.sum()) / (t + _PULL)
        # A document whose label is missed is often given a wrong one, so the two rise and fall together.
        missed = t.sum() - drawn.sum(axis=1)
        together = min(1.0, expected.sum() / (t * (1 - recall)).sum())
        apart = expected.sum() - together * (t * (1 - recall)).sum()
        total = rng.poisson(missed * together + max(apart, 0.0))
        mistaken = rng.multinomial(total, expected / expected.sum())
    means = (2 * drawn / (t + drawn + mistaken)).mean(axis=1)
    model = float((2 * recall * t / (t + recall * t + expected)).mean())
    seen = float((2 * h / (t + d)).mean())
    centre = min(max(seen - (float(means.mean()) - model), 0.0), 1.0)
    trials = model * (1 - model) / (_CAUTION * float(means.var()))
    low, high = (float(end) for end in wilson(centre, trials))
    return min(low, seen), max(high, seen)
