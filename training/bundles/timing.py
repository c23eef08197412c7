"""Times bundles on single texts in turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from training.bundles.cascade import Serving

SECONDS_IN_TURNS = 3.0  # for all bundles together
_WARM_TURNS = 3
_AT_LEAST_TURNS = 5


def in_turns(
    predictors: Sequence[Serving], texts: Sequence[str], seconds: float = SECONDS_IN_TURNS
) -> tuple[float, ...]:
    """Return the p50 in milliseconds of each bundle (predictors,) with single texts.

    They take turns with each text for at most `seconds` together; a slow bundle may take a few texts longer.
    The bundles must have been opened with one thread.
    """
    taken: list[list[float]] = []
    end = time.perf_counter() + seconds
    for turn in range(_WARM_TURNS + len(texts)):
        if turn >= _WARM_TURNS + _AT_LEAST_TURNS and time.perf_counter() >= end:
            break
        text = texts[turn % len(texts)]
        taken.append([seconds_of(predictor, text) for predictor in predictors])
    return tuple((np.median(taken[_WARM_TURNS:], axis=0) * 1_000).tolist())


def seconds_of(predictor: Serving, text: str) -> float:
    """Return how long one text takes, from the text to its decision."""
    started = time.perf_counter()
    predictor.decide(predictor.predict_proba([text]))
    return time.perf_counter() - started
