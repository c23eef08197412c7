"""Where a version is unsure: how often its confidence is right, and what leaving texts undecided brings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from annotate.models import Label, ModelVersion
from annotate.models.documents import Half
from annotate.services.documents import filters
from annotate.services.quality import thresholds
from annotate.services.versions import holdout
from annotate.services.versions.holdout import HoldoutScores, NotScored, Unscored
from training.figures import abstain, reliability
from training.figures.abstain import Abstention
from training.figures.evidence import FEWEST, is_enough
from training.figures.reliability import Reliability
from training.types import FloatArray

COLUMNS = ("confidence", "coverage", "accuracy", "low", "high")


@dataclass(frozen=True, slots=True)
class AbstentionAt:
    """What a least confidence comes to on the reporting half: shares of documents, with the interval.

    `accuracy` is None where too little is answered to measure it. `undecided` are documents of the project
    that the published version would leave undecided; None where this version does not serve.
    """

    threshold: float
    coverage: float
    accuracy: float | None
    low: float
    high: float
    undecided: int | None

    @property
    def percent(self) -> float:
        return round(100 * self.threshold, 2)


@dataclass(frozen=True, slots=True)
class ConfidencePage:
    """The curve of coverage and accuracy, where the version stands on it, and where another one would."""

    documents: int
    unscored: Unscored
    curve: Abstention
    now: AbstentionAt
    wanted: AbstentionAt
    overall: Reliability | None
    labels: tuple[tuple[Label, Reliability], ...]

    @property
    def typed(self) -> str:
        """The least confidence as a form holds it, with every digit."""
        return str(np.float32(self.wanted.threshold))

    @property
    def is_changed(self) -> bool:
        return self.wanted.threshold != self.now.threshold


def shown(version: ModelVersion, least: float | None) -> ConfidencePage:
    """Return the figures of the reporting half; raises `NotScored`, also for too few documents."""
    scored = holdout.of_version(version)
    if not version.calibrated:
        raise NotScored(
            _("The scores of version %(n)s are not calibrated, so there is no confidence to go by.")
            % {"n": version.number}
        )
    half = scored.half(Half.REPORTING)
    if not is_enough(len(half.keys)):
        raise NotScored(
            _("Confidence is measured from %(fewest)s holdout documents on; %(n)s are scored so far.")
            % {"fewest": FEWEST, "n": len(half.keys)}
        )
    sure, right = _judged(half)
    wanted = version.abstain_below if least is None else least
    raw = half.raw
    return ConfidencePage(
        documents=len(half.keys),
        unscored=scored.unscored,
        curve=abstain.abstention(sure, right, fewest=FEWEST),
        now=_at(version, sure, right, version.abstain_below),
        wanted=_at(version, sure, right, wanted),
        overall=None if raw is None else reliability.of_task(half.task, raw, half.scores, half.targets),
        labels=() if raw is None else tuple(_by_label(version, half, raw)),
    )


def least_for(version: ModelVersion, accuracy: float) -> float | None:
    """Return the least confidence whose answers are right so often on the tuning half; None where none is."""
    sure, right = _judged(holdout.of_version(version).half(Half.TUNING))
    return abstain.threshold_for_accuracy(sure, right, accuracy, fewest=FEWEST)


def _judged(half: HoldoutScores) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return how sure each whole answer is, and whether it is right."""
    return half.task.confidence(half.scores), (half.decisions == (half.targets > 0)).all(axis=1)


def _at(version: ModelVersion, sure: FloatArray, right: NDArray[np.bool_], threshold: float) -> AbstentionAt:
    found = abstain.abstention_at(sure, right, threshold)
    undecided = None
    if version.predictions.exists():
        below = filters.find(version.project, {"conf_to": 100 * threshold}) if threshold else None
        undecided = 0 if below is None else below.count()
    coverage = float(found.coverage[0])
    return AbstentionAt(
        threshold=threshold,
        coverage=coverage,
        accuracy=float(found.accuracy[0]) if is_enough(round(coverage * len(sure))) else None,
        low=float(found.low[0]),
        high=float(found.high[0]),
        undecided=undecided,
    )


def _by_label(
    version: ModelVersion, half: HoldoutScores, raw: FloatArray
) -> Iterator[tuple[Label, Reliability]]:
    for column, label in thresholds.columns(version).items():
        found = reliability.of_label(raw[:, column], half.scores[:, column], half.targets[:, column])
        if found is not None:
            yield label, found


def csv_rows(version: ModelVersion) -> Iterator[Sequence[Any]]:
    """Yield the curve of coverage and accuracy, the heads first; raises `NotScored`."""
    curve = shown(version, None).curve
    yield COLUMNS
    arrays = (curve.threshold, curve.coverage, curve.accuracy, curve.low, curve.high)
    for row in zip(*arrays, strict=True):
        yield tuple(float(value) for value in row)
