"""Where a learning curve leads: what more labels will bring, with a band, or why that cannot be told.

NumPy only, as pages ask. Macro-F1 of versions is what is fitted, measured on the holdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from training.figures.thresholds import Decisions

FEWEST_POINTS = 4
FARTHEST = 10.0  # times the labels that there are: farther nothing is told of a goal
MORE = 1.5  # times the labels, for which a curve that brings too little is called flat

STABLE = 0.99
STABLE_RUNS = 3

_STEEPNESS = (0.3, 3.0)  # of the curve's exponent; a few points would follow their noise beyond
_ZOOMS = 5

Values = NDArray[np.float64]


class NoProjection(StrEnum):
    """Why a curve has no projection."""

    FEW_POINTS = "few_points"
    NO_RISE = "no_rise"


@dataclass(frozen=True, slots=True)
class MeasuredPoint:
    """A version: labels that it learned from, its macro-F1, and the interval of the holdout."""

    labels: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Projected:
    """What is expected at so many labels, with the band that it should lie in."""

    labels: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LabelsNeeded:
    """Labels in all at which a goal is reached, and by the band the fewest and the most; None is never."""

    labels: int | None
    fewest: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Projection:
    """A curve top n^c / (half^c + n^c) and beside it start + slope log n, fitted to the same points.

    `margin` is half of the holdout's interval at the last point, and `labels` are those of that point.
    """

    top: float
    half: float
    steepness: float
    start: float
    slope: float
    margin: float
    labels: int

    def at(self, labels: int) -> Projected:
        """Return what so many labels are expected to give, 1 or more.

        The band is as wide to both sides as the holdout's interval, or as the two curves lie apart.
        """
        value = float(_hill(np.array(float(labels)), self.top, self.half, self.steepness))
        other = self.start + self.slope * float(np.log(labels))
        wide = max(self.margin, abs(value - min(other, 1.0)))
        return Projected(labels, value, max(value - wide, 0.0), min(value + wide, 1.0))

    @property
    def gain(self) -> float:
        """What half as many labels again are expected to bring."""
        return self.at(round(MORE * self.labels)).value - self.at(self.labels).value

    @property
    def is_flat(self) -> bool:
        """Whether half as many labels again bring less than the holdout could show."""
        return self.gain < self.margin

    def needed(self, goal: float) -> LabelsNeeded:
        """Return how many labels in all reach the goal; over `FARTHEST` times those there are is never."""
        steps = np.unique(np.geomspace(1, max(FARTHEST * self.labels, 2), 2_000).round().astype(np.int64))
        found = [self.at(int(labels)) for labels in steps]

        def first(values: list[float]) -> int | None:
            reached = np.flatnonzero(np.array(values) >= goal)
            return int(steps[reached[0]]) if len(reached) else None

        return LabelsNeeded(
            first([one.value for one in found]),
            first([one.high for one in found]),
            first([one.low for one in found]),
        )


@dataclass(frozen=True, slots=True)
class PoolAgreement:
    """How far two successive models say the same of the pool: the share, and kappa, free of chance."""

    share: float
    kappa: float
    documents: int


def project(points: Sequence[MeasuredPoint]) -> Projection | NoProjection:
    """Return the projection of versions' figures, or why there is none.

    A Hill curve, which ends at a top, foretold macro-F1 at twice the labels better than a power law
    (docs/benchmarks.md). Points of equal labels count as one. A curve that does not rise by more than its
    points scatter around a line has no projection.
    """
    merged = _merged(points)
    if len(merged) < FEWEST_POINTS:
        return NoProjection.FEW_POINTS
    labels, values, widths = (np.array(column, np.float64) for column in zip(*merged, strict=True))
    weights = 1 / np.maximum(widths, 0.005) ** 2
    logs = np.log(labels)
    start, slope = _line(logs, values, weights)
    scatter = float(np.sqrt(np.average((values - start - slope * logs) ** 2, weights=weights)))
    if slope * (logs[-1] - logs[0]) <= max(scatter, 1e-9):
        return NoProjection.NO_RISE
    top, half, steepness = _fit(labels, values, weights)
    return Projection(top, half, steepness, start, slope, float(widths[-1]), int(labels[-1]))


def thinned(labels: Sequence[int], most: int = 40) -> list[int]:
    """Return the places of at most `most` points, evenly by the log of their labels; both ends stay.

    `labels` do not fall. Of points that stand as close as a step, the last one stays.
    """
    if len(labels) <= most:
        return list(range(len(labels)))
    logs = np.log(np.maximum(labels, 1))
    span = float(logs[-1] - logs[0]) or 1.0
    step = np.minimum((logs - logs[0]) / span * (most - 1), most - 2).astype(np.int64)
    last = np.flatnonzero(np.append(np.diff(step) > 0, True))
    return sorted({0, *last.tolist()})[-most:] if most > 1 else [len(labels) - 1]


def pool_agreement(one: Decisions, other: Decisions, *, exclusive: bool) -> PoolAgreement:
    """Return how far two models' decisions (documents, labels) agree; kappa is 1 where both say one thing.

    With one label a document the share of equal decisions (Cohen, 1960); with several the same of each yes
    or no, all labels together.
    """
    if not one.size:
        return PoolAgreement(1.0, 1.0, len(one))
    first, second = one.mean(axis=0), other.mean(axis=0)
    if exclusive:
        share, chance = float((one & other).any(axis=1).mean()), float((first * second).sum())
    else:
        share = float((one == other).mean())
        chance = float((first * second + (1 - first) * (1 - second)).mean())
    kappa = (share - chance) / (1 - chance) if chance < 1 else 1.0
    return PoolAgreement(share, kappa, len(one))


def is_stable(agreements: Sequence[PoolAgreement]) -> bool:
    """Tell whether models have stopped to change: the newest agreements, the last at the end, are all high.

    The advice of Bloodgood and Vijay-Shanker ("A method for stopping active learning based on stabilizing
    predictions", 2009): kappa of successive models on texts that were not labelled.
    """
    newest = agreements[-STABLE_RUNS:]
    return len(newest) == STABLE_RUNS and all(one.kappa >= STABLE for one in newest)


def _merged(points: Sequence[MeasuredPoint]) -> list[tuple[int, float, float]]:
    """Return labels, value and half the interval's width, each number of labels once, fewest first."""
    groups: dict[int, list[MeasuredPoint]] = {}
    for point in points:
        if point.labels > 0:
            groups.setdefault(point.labels, []).append(point)
    return [
        (
            labels,
            float(np.mean([point.value for point in group])),
            float(np.mean([(point.high - point.low) / 2 for point in group])),
        )
        for labels, group in sorted(groups.items())
    ]


def _fit(labels: Values, values: Values, weights: Values) -> tuple[float, float, float]:
    """Return top, half and steepness of the least squares, the top at most 1.

    For each steepness and half of a grid the best top is known; the grid is drawn closer around its best.
    """
    low, high = np.log((_STEEPNESS[0], 1.0)), np.log((_STEEPNESS[1], 20 * labels[-1]))
    bounds = low.copy(), high.copy()
    top = steepness = half = 1.0
    for _ in range(_ZOOMS):
        steeps, halves = (np.exp(np.linspace(low[k], high[k], 41)) for k in (0, 1))
        shape = _hill(labels, 1.0, halves[:, None], steeps[:, None, None])  # (steepness, half, points)
        tops = np.minimum((weights * shape * values).sum(-1) / (weights * shape**2).sum(-1), 1.0)
        errors = (weights * (tops[..., None] * shape - values) ** 2).sum(-1)
        i, j = np.unravel_index(int(errors.argmin()), errors.shape)
        top, steepness, half = float(tops[i, j]), float(steeps[i]), float(halves[j])
        middle, step = np.log((steepness, half)), (high - low) / 20
        low, high = np.maximum(middle - step, bounds[0]), np.minimum(middle + step, bounds[1])
    return top, half, steepness


def _line(x: Values, y: Values, weights: Values) -> tuple[float, float]:
    centre, level = np.average(x, weights=weights), np.average(y, weights=weights)
    slope = (weights * (x - centre) * (y - level)).sum() / (weights * (x - centre) ** 2).sum()
    return float(level - slope * centre), float(slope)


def _hill(labels: Values, top: float, half: Values | float, steepness: Values | float) -> Values:
    return np.asarray(top / (1 + (np.asarray(half) / labels) ** steepness))
