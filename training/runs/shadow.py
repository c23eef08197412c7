"""What it was worth to choose: models of documents drawn at random beside models of as many chosen ones.

The sense is that of simulations of active learning, in which one curve is compared with the other, on the
documents that people have labelled by now. They have answered to many chosen documents and to few that were
drawn, so the two are compared at the few, where both are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.figures.evaluate import resampled_macro_f1
from training.figures.thresholds import Decisions
from training.runs.pipeline import calibrate_and_tune, fit_model, rows_of
from training.threads import steady
from training.types import Dataset, Embedder, FloatArray, IntArray, RunSpec, TrainingError

MOST_DRAWN = 1_000  # what they have to say is the same with more, and fits take longer
SIZES = (0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.2)  # of the chosen sets, in drawn documents
PARTS = 4  # of the drawn documents, each left out once to tell what another draw would have changed
_TAIL = 0.025  # of the resamples, at each end of an interval

Figures = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """Macro-F1 of models of `labels` documents each, on `documents` reporting ones.

    `needed` is how many chosen documents give what the drawn ones do, between `fewest` and `most`. None is
    more than the `tried` ones. No fewer are told than a tenth of `labels`.
    """

    labels: int
    documents: int
    drawn: Estimate
    chosen: Estimate
    needed: int | None
    fewest: int | None
    most: int | None
    tried: int


def even_draw(is_random: NDArray[np.bool_], pool: int, rng: np.random.Generator) -> IntArray:
    """Return the rows of labelled documents that are an even draw of a pool of `pool` documents, as drawn.

    The rows come in the order in which people labelled them; those that are random were drawn from what had
    no label. So they lack what a strategy had chosen before, which is harder than the rest. As many chosen
    documents as an even draw of the whole pool would have met by then are counted among them.
    """
    taken: list[int] = []
    aside: list[int] = []  # chosen ones that no draw has met
    for row, drawn in enumerate(is_random.tolist()):
        if not drawn:
            aside.append(row)
            continue
        unlabelled = max(pool - row, 1)  # this one among them
        while rng.random() < len(aside) / (len(aside) + unlabelled):
            taken.append(aside.pop(int(rng.integers(len(aside)))))
        taken.append(row)
    return np.array(taken, np.int64)


@steady
def shadow(
    spec: RunSpec,
    dataset: Dataset,
    drawn: IntArray,
    *,
    tuning: Dataset,
    reporting: Dataset,
    embedder: Embedder | None = None,
    tell: Callable[[float], None] = lambda done: None,
) -> ShadowReport:
    """Fit models of drawn and of chosen documents, and compare them on `reporting`.

    `dataset` is in the order in which people labelled it, so that its first documents are what choosing has
    led to; `drawn` (n,) are the rows of an even draw. None of them learns from texts without a label. Raises
    `TrainingError` where the drawn documents cannot be learned from.
    """
    rng, n = np.random.default_rng(spec.seed), len(drawn)
    sizes = [size for share in SIZES if (size := round(share * n)) <= len(dataset)]
    parts = np.array_split(rng.permutation(drawn), PARTS)
    wanted = [drawn, *(np.setdiff1d(drawn, part) for part in parts), *map(np.arange, sizes)]
    decided: list[Decisions | None] = []
    for done, rows in enumerate(wanted):
        tell(done / len(wanted))
        try:
            decided.append(_decisions(spec, rows_of(dataset, rows), tuning, reporting, embedder))
        except TrainingError:
            if done <= PARTS or len(rows) >= n:
                raise
            decided.append(None)  # so few documents that they have a single label
    curve = [(size, one) for size, one in zip(sizes, decided[1 + PARTS :], strict=True) if one is not None]
    found = [one for one in decided[: 1 + PARTS] if one is not None]
    return _compared(reporting.targets, found[0], found[1:], curve, n, rng)


def _decisions(
    spec: RunSpec, learned: Dataset, tuning: Dataset, reporting: Dataset, embedder: Embedder | None
) -> Decisions:
    model = fit_model(spec, learned, tuning, embedder).model
    raw, task = model.predict_proba(reporting.texts), learned.schema.task
    if not task.has_thresholds:  # calibration leaves the best label the best
        return task.decide(raw, np.zeros(raw.shape[1], np.float32))
    tuned = calibrate_and_tune(spec, learned, tuning, model, embedder)
    return task.decide(tuned.scores(raw), tuned.thresholds)


def _compared(
    targets: FloatArray,
    drawn: Decisions,
    parts: Sequence[Decisions],
    curve: Sequence[tuple[int, Decisions]],
    n: int,
    rng: np.random.Generator,
) -> ShadowReport:
    """Compare on the same resampled documents.

    Another draw of `n` documents would give another model. The variance of that is the jackknife's of the
    parts (Shao and Wu, 1989), and both models are moved by it in each resample.
    """
    sizes = np.array([size for size, _ in curve])
    seen, values = resampled_macro_f1(targets, [drawn, *(one for _, one in curve), *parts], rng)
    left_out = seen[1 + len(curve) :]
    error = float(np.sqrt((PARTS - 1) * np.var(left_out)))
    moved = rng.normal(0.0, error, (2, values.shape[1]))
    goal, reached = values[0] + moved[0], values[1 : 1 + len(curve)] + moved[1]
    at_n = int(np.flatnonzero(sizes == n)[0])
    needed = _crossing(sizes, seen[1 : 1 + len(curve), None], seen[:1])[0]
    fewest, most = _ends(_crossing(sizes, reached, goal))
    return ShadowReport(
        labels=n,
        documents=len(targets),
        drawn=_estimate(seen[0], goal),
        chosen=_estimate(seen[1 + at_n], reached[at_n]),
        needed=_number(needed),
        fewest=_number(min(fewest, needed)),
        most=_number(max(most, needed)),
        tried=int(sizes[-1]),
    )


def _crossing(sizes: IntArray, values: Figures, goal: Figures) -> Figures:
    """Return at which size (resamples,) the values (sizes, resamples) reach the goal, infinity for never.

    The values are made to rise first, as those of a curve that has no noise do (isotonic regression).
    """
    k = len(sizes)
    totals = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(axis=0)])
    means = np.full((k, k, values.shape[1]), np.inf)  # from one size to another one
    for i in range(k):
        spans = np.arange(1, k - i + 1)[:, None]
        means[i, i:] = (totals[i + 1 :] - totals[i]) / spans
    least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]  # from i to j or farther
    rising = np.stack([least[: j + 1, j].max(axis=0) for j in range(k)])
    first = (rising >= goal).argmax(axis=0)
    before, columns = np.maximum(first - 1, 0), np.arange(values.shape[1])
    low, high, logs = rising[before, columns], rising[first, columns], np.log(sizes)
    part = np.divide(goal - low, high - low, out=np.ones(len(columns)), where=high > low)
    at = np.exp(logs[before] + np.clip(part, 0, 1) * (logs[first] - logs[before]))
    return np.where(rising[-1] >= goal, at, np.inf)


def _estimate(value: float, resampled: Figures) -> Estimate:
    low, high = _ends(resampled)
    low, high = min(low, float(value)), max(high, float(value))
    return Estimate(float(value), max(low, 0.0), min(high, 1.0))


def _ends(values: Figures) -> tuple[float, float]:
    ordered = np.sort(values)  # infinity goes last
    rank = round(_TAIL * (len(ordered) - 1))
    return float(ordered[rank]), float(ordered[-1 - rank])


def _number(value: float) -> int | None:
    return None if np.isinf(value) else round(value)
