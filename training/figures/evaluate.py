"""Figures on held-out documents, with intervals. NumPy only: the web process imports this."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.figures import evidence, intervals
from training.figures.calibration import expected_calibration_error
from training.figures.thresholds import Decisions
from training.types import ClassReport, Evaluation, FloatArray, IntArray, LabelSchema

RESAMPLES = 1_000
# Resamples of a label's only document hold no variance of it, and those of two hold half: by so much, times
# the labels for each document, the variance is raised (chosen by worlds 50,000 on of
# `bench/figures/coverage.py`).
_SPARSE = 0.5
# Documents of a label on which only one of two models is right, beside those that were seen (Agresti and Min,
# 2005). With 0.4 the interval of a label's difference held in 0.92 or more of the worlds
# of each cell of `bench/figures/coverage.py`.
_UNSEEN = 0.4
_PERCENTILES = (2.5, 97.5)

Figures = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Macro-F1 of A minus that of B on the same documents, its 95 % interval, and P(A is better than B).

    `error` is the standard error of the difference.
    """

    difference: float
    low: float
    high: float
    probability_better: float
    error: float


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """F1 of A minus that of B for one label by its column, on the same documents, with the 95 % interval.

    `difference` is None without a document of the label. The label `has_moved` where 0 lies outside.
    """

    column: int
    difference: float | None
    low: float
    high: float
    support: int

    @property
    def has_moved(self) -> bool:
        return self.difference is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Flips:
    """Rows of documents that two models decide differently, by whose whole answer is right."""

    won: IntArray
    """Only A is right."""
    lost: IntArray
    """Only B is right."""
    neither: IntArray
    """Both are wrong, in different ways."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """True positives, decided and true of each label; leading axes are resamples."""

    hits: Figures
    decided: Figures
    true: Figures

    def f1(self, beta: float = 1.0) -> Figures:
        """Return F1, or F-beta, per label, NaN where a label has no support."""
        weight = beta * beta
        return _ratio((1 + weight) * self.hits, self.decided + weight * self.true, self.true > 0)

    def macro_f1(self, beta: float = 1.0) -> Figures:
        """Return the mean F1, or F-beta, of the labels with support, NaN where none has."""
        f1 = self.f1(beta)
        measured = ~np.isnan(f1)
        return _ratio(np.where(measured, f1, 0).sum(-1), measured.sum(-1), measured.any(-1))

    def micro_f1(self) -> Figures:
        """Return F1 over all labels' decisions together."""
        total = self.decided.sum(-1) + self.true.sum(-1)
        return _ratio(2 * self.hits.sum(-1), total, total > 0)


def evaluate(
    schema: LabelSchema,
    targets: FloatArray,
    scores: FloatArray,
    thresholds: FloatArray,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> Evaluation:
    """Return the figures of calibrated `scores` (documents, labels) under `thresholds` (labels,).

    With fewer documents than `evidence.FEWEST` there are counts and no figures.
    """
    true = targets > 0
    decisions = schema.task.decide(scores, thresholds)
    counts = _count(true, decisions)
    is_enough = evidence.is_enough(len(targets))
    measured = (counts.true > 0) & is_enough
    low, high = intervals.of_labels(counts.hits, counts.decided, counts.true)
    # A label that is never decided has no precision; with support, 0 is the convention.
    columns = {
        "precision": _ratio(counts.hits, counts.decided, counts.decided > 0, 0.0),
        "recall": _ratio(counts.hits, counts.true, counts.true > 0),
        "f1": counts.f1(),
        "f1_low": low,
        "f1_high": high,
    }
    shown = {name: np.where(measured, values, np.nan) for name, values in columns.items()}
    per_class = tuple(
        ClassReport(
            key=key,
            threshold=float(thresholds[j]),
            support=int(counts.true[j]),
            hits=int(counts.hits[j]),
            decided=int(counts.decided[j]),
            **{name: _number(values[j]) for name, values in shown.items()},
        )
        for j, key in enumerate(schema.keys)
    )
    ends = intervals.of_macro(
        counts.hits,
        counts.decided,
        counts.true,
        rng,
        exclusive=schema.task.exclusive,
        resamples=resamples,
    )
    macro_low, macro_high = ends or (None, None)
    macro = evidence.Figure.of(_number(counts.macro_f1()), macro_low, macro_high, len(targets))
    return Evaluation(
        documents=len(targets),
        macro_f1=macro.estimate,
        macro_f1_low=macro.low,
        macro_f1_high=macro.high,
        micro_f1=_number(counts.micro_f1()) if is_enough else None,
        per_class=per_class,
        confusion=schema.task.confusion(targets, decisions),
        calibration_error=expected_calibration_error(schema.task, scores, targets) if is_enough else None,
    )


def macro_f1(targets: FloatArray, decisions: Decisions, beta: float = 1.0) -> float | None:
    """Return the mean F1, or F-beta, of the labels that have support, None where none has."""
    return _number(_count(targets > 0, decisions).macro_f1(beta))


def macro_f1_interval(
    targets: FloatArray,
    decisions: Decisions,
    rng: np.random.Generator,
    *,
    beta: float = 1.0,
    resamples: int = RESAMPLES,
) -> tuple[float | None, float | None]:
    """Return the 95 % bootstrap interval of macro-F1, or macro-F-beta, None where no label has support."""
    low, high = _interval(_resample([targets > 0, decisions], rng, resamples).macro_f1(beta))
    return _number(low), _number(high)


def resampled_macro_f1(
    targets: FloatArray,
    models: Sequence[Decisions],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> tuple[Figures, Figures]:
    """Return macro-F1 (models,) of several models, and (models, resamples) on the same resampled documents.

    It is 0 where no document has a label.
    """
    true = targets > 0
    seen = [_count(true, one).macro_f1() for one in models]
    weights, (has, *rows) = _resampled_patterns([true, *models], rng, resamples)
    drawn = [_weigh(weights, has, one).macro_f1() for one in rows]
    return np.nan_to_num(np.array(seen)), np.nan_to_num(np.array(drawn))


def micro_f1(targets: FloatArray, decisions: Decisions) -> float | None:
    """Return F1 over all labels together, None where nothing is true and nothing was decided."""
    return _number(_count(targets > 0, decisions).micro_f1())


def weighted_f1(targets: FloatArray, decisions: Decisions) -> float | None:
    """Return the mean F1 of labels by how many documents each has, None where none has any."""
    counts = _count(targets > 0, decisions)
    f1 = np.nan_to_num(counts.f1())
    return _number(_ratio((f1 * counts.true).sum(-1), counts.true.sum(-1), counts.true.sum(-1) > 0))


def agreement(one: Decisions, other: Decisions) -> float:
    """Return the share of the labels that two models give which both of them give, (documents, labels) each.

    A label that both give counts for both (Dice, 1945): with a single label per document this is the share
    of equal decisions, with many the labels that neither gives do not make two models alike. 1 for nothing.
    """
    given = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / given if given else 1.0


def paired_bootstrap(
    targets: FloatArray,
    decisions_a: Decisions,
    decisions_b: Decisions,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> PairedDifference:
    """Compare two models by macro-F1 on the same resampled documents (Efron and Tibshirani, 1993).

    The interval is normal around the difference that was seen. The variance of the resamples is raised where
    labels have few documents. To it comes that of one document more on which only the one and one on which
    only the other is right, as Agresti and Min (2005) do for paired shares: models that agree on the few
    documents there are need not agree on the next, so no interval is a single point. Without any document the
    difference can be anything.
    """
    true = targets > 0
    if not true.any():
        return PairedDifference(0.0, -1.0, 1.0, 0.5, 1.0)
    weights, rows = _resampled_patterns([true, decisions_a, decisions_b], rng, resamples)
    a, b, c = rows
    differences = _weigh(weights, a, b).macro_f1() - _weigh(weights, a, c).macro_f1()
    observed = (macro_f1(targets, decisions_a) or 0.0) - (macro_f1(targets, decisions_b) or 0.0)
    sparse = 1 + _SPARSE * true.any(axis=0).sum() / true.sum()
    error = float(np.sqrt(np.nanvar(differences) * sparse + _unseen_variance(true)))
    low, high = max(observed - evidence.Z * error, -1.0), min(observed + evidence.Z * error, 1.0)
    better = (1 + math.erf(observed / error / math.sqrt(2))) / 2
    return PairedDifference(observed, low, high, better, error)


def paired_classes(
    targets: FloatArray,
    decisions_a: Decisions,
    decisions_b: Decisions,
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> tuple[ClassDifference, ...]:
    """Return the difference of two models for each label, by the same resampled documents.

    The interval is as in `paired_bootstrap`, of the label's own documents. Each is one of many: of 77 labels
    that did not move, about four seem to.
    """
    true = targets > 0
    weights, (has, a, b) = _resampled_patterns([true, decisions_a, decisions_b], rng, resamples)
    drawn = _weigh(weights, has, a).f1() - _weigh(weights, has, b).f1()  # (resamples, labels)
    observed = _count(true, decisions_a).f1() - _count(true, decisions_b).f1()
    found = []
    for j, support in enumerate(true.sum(axis=0).tolist()):
        if not support:
            found.append(ClassDifference(j, None, -1.0, 1.0, 0))
            continue
        variance = np.nanvar(drawn[:, j]) * (1 + _SPARSE / support) + _UNSEEN / (support + 2) ** 2
        wide = evidence.Z * float(np.sqrt(variance))
        seen = float(observed[j])
        found.append(ClassDifference(j, seen, max(seen - wide, -1.0), min(seen + wide, 1.0), support))
    return tuple(found)


def flips(targets: FloatArray, decisions_a: Decisions, decisions_b: Decisions) -> Flips:
    """Return which documents two models decide differently, all (documents, labels)."""
    true = targets > 0
    a, b = (decisions_a == true).all(axis=1), (decisions_b == true).all(axis=1)
    differ = (decisions_a != decisions_b).any(axis=1)
    won, lost, neither = (np.flatnonzero(rows) for rows in (a & ~b, b & ~a, differ & ~a & ~b))
    return Flips(won, lost, neither)


def _unseen_variance(true: Decisions) -> float:
    """Return what two more documents would add to the variance of a difference, one for each model.

    A document weighs in macro-F1 what it is of its labels' support.
    """
    support = true.sum(axis=0)
    shares = np.divide(1.0, support, out=np.zeros(len(support)), where=support > 0) / (support > 0).sum()
    weights = (true * shares).sum(axis=1)  # (documents,)
    return 2 * float((weights**2).mean())


def _count(true: Decisions, decisions: Decisions) -> _Counts:
    sums = [rows.sum(axis=0).astype(np.float64) for rows in (true & decisions, decisions, true)]
    return _Counts(*sums)


def _resample(rows: list[Decisions], rng: np.random.Generator, resamples: int) -> _Counts:
    weights, (true, decisions) = _resampled_patterns(rows, rng, resamples)
    return _weigh(weights, true, decisions)


def _resampled_patterns(
    columns: list[Decisions], rng: np.random.Generator, resamples: int
) -> tuple[Figures, list[Decisions]]:
    """Return the weights (resamples, patterns) of distinct outcomes, and their rows.

    Documents with the same truth and decisions are interchangeable, so that drawing how often each distinct
    outcome occurs equals drawing documents, at a cost that hardly grows with their number.
    """
    together = np.concatenate(columns, axis=1)
    packed = np.packbits(together, axis=1)
    _, first, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    if not len(together):
        return np.zeros((resamples, 0)), [column[:0] for column in columns]
    weights = rng.multinomial(len(together), counts / len(together), size=resamples)
    return weights.astype(np.float64), [column[first] for column in columns]


def _weigh(weights: Figures, true: Decisions, decisions: Decisions) -> _Counts:
    small = weights.astype(np.float32)  # counts up to 2**24 are exact
    sums = [small @ rows.astype(np.float32) for rows in (true & decisions, decisions, true)]
    return _Counts(*(total.astype(np.float64) for total in sums))


def _interval(values: Figures) -> tuple[Figures, Figures]:
    """Return the percentiles over resamples (axis 0); resamples that could not be measured are left out."""
    ordered = np.sort(values, axis=0)  # NaN goes last
    measured = (~np.isnan(ordered)).sum(axis=0)
    found = []
    for percentile in _PERCENTILES:
        rank = np.round(percentile / 100 * np.maximum(measured - 1, 0)).astype(np.int64)  # the nearest one
        found.append(np.asarray(np.take_along_axis(ordered, rank[None, ...], axis=0)[0]))
    low, high = found
    return low, high


def _ratio(
    over: Figures, under: Figures, defined: NDArray[np.bool_] | np.bool_, otherwise: float = np.nan
) -> Figures:
    over, under = np.asarray(over, np.float64), np.asarray(under, np.float64)
    result = np.full(over.shape, otherwise)
    return np.asarray(np.divide(over, under, out=result, where=np.asarray(defined)))


def _number(value: Figures | float) -> float | None:
    number = float(value)
    return None if np.isnan(number) else number
