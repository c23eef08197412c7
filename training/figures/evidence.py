"""What a figure needs before it is one: enough documents, and an interval that is never a single point.

Every place that shows or compares figures asks here, so that one rule holds for a page, the API, a report
card, the command line and the decision to publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FEWEST = 10
"""Holdout documents that report figures: with fewer, nothing is a figure and nothing is compared."""

FEWEST_OF_A_LABEL = 10
"""Documents of one label: with fewer, its precision and recall are told as counts, "3 of 4"."""

FEWEST_DRAWN = 50
"""Labelled documents drawn at random: models of fewer tell nothing of what choosing is worth."""

Z = 1.959964  # the normal quantile of a 95 % interval

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Figure:
    """An estimate with its 95 % interval and how many documents it was measured on.

    The three are None where too few documents make no figure of it.
    """

    estimate: float | None
    low: float | None
    high: float | None
    documents: int

    @classmethod
    def of(cls, estimate: float | None, low: float | None, high: float | None, documents: int) -> Self:
        """Return the figure, or an absent one where `documents` are too few for any."""
        if estimate is None or not is_enough(documents):
            return cls(None, None, None, documents)
        return cls(estimate, low, high, documents)

    @property
    def is_measured(self) -> bool:
        return self.estimate is not None


def is_enough(documents: int) -> bool:
    """Tell whether what is measured on so many documents is a figure."""
    return documents >= FEWEST


def figure(value: float | None, documents: int) -> float | None:
    """Return what was measured on so many documents, None where they are too few for a figure."""
    return value if is_enough(documents) else None


def why_none(documents: int) -> str:
    """Return why too few documents give no figure, as part of a sentence."""
    return f"measured from {FEWEST} held-out documents on; there are {documents}"


def wilson(share: Values | float, size: Values | float) -> tuple[Values, Values]:
    """Return the 95 % score interval of a share of `size` trials, which may be a fraction (Wilson, 1927).

    It inverts the test of the true share, so that 0 of 3 and 3 of 3 have an interval as well: 0-0.56 and
    0.44-1. Without a trial it is 0-1.
    """
    p, n = np.asarray(share, np.float64), np.maximum(np.asarray(size, np.float64), 1e-9)
    middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(np.maximum(p * (1 - p) / n + Z * Z / (4 * n * n), 0.0))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)
