"""When a newer model may take the place of an older one: the gate of publication, as numbers.

A newer model must not lose more than a margin against the best so far, with confidence: a test of
non-inferiority (Piaggio et al., 2012). With thirty documents no such test passes by the data alone, so what
is known beforehand counts: a model that has learned from as many labels or more is seldom much worse. That
is a normal prior of the true difference, which the documents overrule as they become more.

Many versions are judged on one holdout. The reference is the best so far and not the last one, so that small
losses do not add up; and a row of refused tries shares one risk (Bonferroni), so that trying again does not
let a worse model through. Once a version is published a new row begins.
"""

from __future__ import annotations

import math

MARGIN = 0.03
"""Macro-F1 that a newer model may lose against the best so far."""

RISK = 0.05
"""How likely a larger loss may be for a whole row of tries."""

# The prior of the true difference: what more labels bring and how far that differs from run to run, chosen
# with `bench/gate.py` by how often better models are refused and slides pass.
GAIN = 0.01
SPREAD = 0.02


def risk_of_loss(difference: float, error: float, *, has_learned_as_much: bool) -> float:
    """Return how likely the newer model loses more than `MARGIN`, by its difference and standard error."""
    gain = GAIN if has_learned_as_much else 0.0
    trust = SPREAD**2 / (SPREAD**2 + error**2)
    mean, deviation = trust * difference + (1 - trust) * gain, math.sqrt(trust) * error
    return (1 + math.erf((-MARGIN - mean) / deviation / math.sqrt(2))) / 2


def allowed_risk(refused: int) -> float:
    """Return the risk that a version may have after so many were refused in a row."""
    return RISK / (1 + refused)
