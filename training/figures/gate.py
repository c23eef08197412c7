"""When a newer model may take the place of an older one: the gate of publication, as numbers.

A newer model must not lose more than a margin against the best so far, with confidence: a test of
non-inferiority (Piaggio et al., 2012). With thirty documents no such test passes by the data alone, so what
is known beforehand counts: a model that has learned from as many labels or more is seldom much worse. That
is a normal prior of the true difference, which the documents overrule as they become more. A loss that was
measured is not explained away by it: where the documents alone say that more than the margin is lost, with
the confidence `alone`, the model is refused however few they are.

Many versions are judged on one holdout. The reference is the best so far and not the last one, so that small
losses do not add up; and all tries that were measured worse than one reference share one risk (Bonferroni),
whether they passed or not, so that trying again does not let a worse model through. Versions that have
learned from nearly the same labels say nearly the same of the same documents, so they are one try. A version
that passes and was measured better than the reference takes its place, and a new row begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 0.03
"""Macro-F1 that a newer model may lose against the best so far."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How the gate decides.

    `risk` is how likely a loss beyond `MARGIN` may be for a whole row of tries. `gain` and `spread` are the
    prior of the true difference: what more labels bring, and how far that differs from run to run. `alone` is
    how likely such a loss may be by the documents alone, without the prior.
    """

    risk: float = 0.05
    gain: float = 0.01
    spread: float = 0.02
    alone: float = 0.8

    def risk_of_loss(self, difference: float, error: float, *, has_learned_as_much: bool) -> float:
        """Return how likely the newer model loses more than `MARGIN`, by its difference and its error."""
        measured = _below(-MARGIN, difference, error)
        if measured > self.alone:
            return measured
        gain = self.gain if has_learned_as_much else 0.0
        trust = self.spread**2 / (self.spread**2 + error**2)
        return _below(-MARGIN, trust * difference + (1 - trust) * gain, math.sqrt(trust) * error)

    def allowed_risk(self, tries: int) -> float:
        """Return the risk that a version may have after so many were measured worse than the same one."""
        return self.risk / (1 + tries)


RULE = Rule()
MORE = 0.1
"""By such a share more labels than the last try had make another try of a version."""


def tries_before(labelled: int, measured_worse: Iterable[int]) -> int:
    """Return how many tries came before a version of so many labels, by the labels of those measured worse.

    They come in the order in which they were made. A version is part of the last try unless it has learned
    from more labels than the first of that try, by the share `MORE`, or from fewer.
    """
    tries, begun = 0, None
    for count in (*measured_worse, labelled):
        if begun is None or count < begun or count - begun >= max(1, MORE * begun):
            tries, begun = tries + 1, count
    return tries - 1


def _below(limit: float, mean: float, deviation: float) -> float:
    return (1 + math.erf((limit - mean) / deviation / math.sqrt(2))) / 2
