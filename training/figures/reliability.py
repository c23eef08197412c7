"""How often scores are right, before and after calibration, for a whole task and for one label."""

from __future__ import annotations

from dataclasses import dataclass

from training.figures.calibration import Bin, bins_of, error_of, expected_calibration_error
from training.figures.evidence import FEWEST_OF_A_LABEL
from training.types import DocumentTask, FloatArray


@dataclass(frozen=True, slots=True)
class ReliabilityCurve:
    """Filled bins of equal width, and the calibration error; None without documents."""

    bins: tuple[Bin, ...]
    error: float | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """The same documents by raw and by calibrated scores."""

    before: ReliabilityCurve
    after: ReliabilityCurve


def of_task(task: DocumentTask, raw: FloatArray, calibrated: FloatArray, targets: FloatArray) -> Reliability:
    """Return the curves of what decisions rest on; all arrays are (documents, labels)."""
    before, after = (
        ReliabilityCurve(
            bins_of(*task.judged(scores, targets)), expected_calibration_error(task, scores, targets)
        )
        for scores in (raw, calibrated)
    )
    return Reliability(before, after)


def of_label(raw: FloatArray, calibrated: FloatArray, targets: FloatArray) -> Reliability | None:
    """Return the curves of one label's scores, (documents,) each; None with too few documents of it."""
    true = targets > 0
    if true.sum() < FEWEST_OF_A_LABEL:
        return None
    before, after = (
        ReliabilityCurve(bins_of(scores, true), error_of(scores, true)) for scores in (raw, calibrated)
    )
    return Reliability(before, after)
