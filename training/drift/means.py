"""Corridors of what a text has as a number: confidence, length, unknown words, nearness to labelled texts.

A window is kept as three sums, not as its texts. Its mean is compared with the reference and earlier windows
in the way of `training.drift.corridor`: by chance, and by how much more earlier means varied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from training.drift.corridor import DRAWS, QUANTILE, Values, dispersion_of, limit_of

FEWEST_TEXTS = 30
"""Texts from which on a mean is judged: with fewer it does not vary like a normal number."""

_TINY = 1e-12


class Side(StrEnum):
    """Which way a mean has to leave its corridor."""

    BOTH = "both"
    BELOW = "below"  # nearness to labelled texts: a new topic is far from all
    ABOVE = "above"  # unknown words


@dataclass(frozen=True, slots=True)
class Moments:
    """Numbers of some texts by how many they are, their sum, and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Values | Sequence[float]) -> Self:
        """Return the sums of values (texts,)."""
        numbers = np.asarray(values, np.float64)
        return cls(len(numbers), float(numbers.sum()), float((numbers**2).sum()))

    def __add__(self, other: Moments) -> Moments:
        return Moments(self.count + other.count, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other: Moments) -> Moments:
        return Moments(self.count - other.count, self.total - other.total, self.squares - other.squares)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        return max(self.squares / self.count - self.mean**2, 0.0) if self.count else 0.0


@dataclass(frozen=True, slots=True)
class MeanReading:
    """A window's mean beside the mean before, and the corridor [low, high] that it should lie in.

    `statistic` is the squared difference in units of its variance by chance, `limit` what it may be.
    """

    size: int
    before: float
    now: float
    low: float
    high: float
    statistic: float
    limit: float
    side: Side

    @property
    def is_alarm(self) -> bool:
        if self.size < FEWEST_TEXTS:
            return False
        is_allowed = self.side is (Side.ABOVE if self.now < self.before else Side.BELOW)
        return self.statistic > self.limit and not is_allowed


def read_mean(
    reference: Moments,
    history: Sequence[Moments],
    window: Moments,
    rng: np.random.Generator,
    *,
    side: Side = Side.BOTH,
) -> MeanReading:
    """Return the reading of a window by the reference and accepted windows of the past."""
    pool = sum(history, reference)
    if not pool.count or not window.count:
        mean = pool.mean or window.mean
        return MeanReading(window.count, pool.mean, window.mean, mean, mean, 0.0, 0.0, side)
    judged = [past for past in history if past.count >= 2 and past.count < pool.count]
    sizes = np.array([past.count for past in judged], np.int64)
    ratios = np.array([_statistic(past, pool - past, pool.variance) for past in judged])
    dispersion = dispersion_of(ratios, sizes, window.count)
    drawn = rng.standard_normal(DRAWS) ** 2
    # A square hides its sign: where only one side counts, the other one's chance goes to it.
    quantile = QUANTILE if side is Side.BOTH else 2 * QUANTILE - 1
    limit = limit_of(drawn, dispersion, len(judged), window.count, rng, quantile=quantile)
    # NB: with the window's own texts in it, the variance is above 0 wherever the mean has moved at all.
    variance = (pool + window).variance
    half = float(np.sqrt(limit * variance * (1 / window.count + 1 / pool.count)))
    return MeanReading(
        size=window.count,
        before=pool.mean,
        now=window.mean,
        low=pool.mean - half,
        high=pool.mean + half,
        statistic=_statistic(window, pool, variance),
        limit=limit,
        side=side,
    )


def _statistic(window: Moments, rest: Moments, variance: float) -> float:
    """Return the squared difference of two means by its variance; about 1 where only chance makes it."""
    difference = window.mean - rest.mean
    return difference**2 / max(variance * (1 / window.count + 1 / rest.count), _TINY)
