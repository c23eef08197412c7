"""Calibration: making a score of 0.8 right eight times out of ten. Plain numbers, stored in the manifest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from training.types import FloatArray, Json

IDENTITY: Mapping[str, Json] = {"method": "none"}


def apply(calibration: Mapping[str, Json], scores: FloatArray) -> FloatArray:
    """Return calibrated scores of the same shape."""
    return scores
