"""Calibration: making a score of 0.8 right eight times out of ten. Plain numbers, stored in the manifest.

Multi-label maps are monotone in each label's score, so calibration never changes which document a label suits
best; single-label maps keep the best label of each document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.types import DocumentTask, FloatArray, Json, ScoreKind

IDENTITY: Mapping[str, Json] = {"method": "none"}
_TINY = 1e-6
_ISOTONIC_POSITIVES = 100  # fewer make steps that follow the noise (Niculescu-Mizil and Caruana, 2005)
_ISOTONIC_DOCUMENTS = 1_000
_ISOTONIC_GAIN = 0.75  # the error has to fall to at most this share of itself; a smaller gain may be noise
_PRIOR = 4.0  # variance of the normal prior that holds the shift of a label near zero

# Documents that a calibration needs before its scores may be told as confidences. With fewer, the mean score
# of what is said lies too far from the share that is right (`bench/figures/guesses.py`, see
# docs/benchmarks.md).
FEWEST = {ScoreKind.EXCLUSIVE: 50, ScoreKind.INDEPENDENT: 200}

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a reliability diagram: mean score, share that was right, and how many scores."""

    score: float
    right: float
    count: int


def fit_exclusive(scores: FloatArray, targets: FloatArray) -> Mapping[str, Json]:
    """Return the calibration of softmax scores (documents, labels) by 0/1 targets, as plain numbers.

    One temperature by likelihood (Guo et al., 2017) and, with enough documents, an isotonic map of the best
    label's score, where that lowers the error on documents that the map has not seen.

    Measured on BANKING77 with plain logistic heads on sentence vectors, 1,000 tuning documents and the other
    2,080 of the test set (mean calibration error of ten splits, temperature alone -> with the isotonic map
    where it is taken): 0.128 -> 0.037 at 300 labels, 0.047 -> 0.025 at 1,000, 0.016 unchanged at 2,500.
    """
    if not len(scores):
        return IDENTITY
    temperature = _single_temperature(scores, targets)
    learned: dict[str, Json] = {"method": "temperature", "temperature": temperature}
    if len(scores) >= _ISOTONIC_DOCUMENTS and scores.shape[1] > 1:
        softened = _soften(scores, temperature)
        before = after = 0.0
        for half in (0, 1):  # a map that was fitted on one half is judged on the other
            learn, seen = slice(half, None, 2), slice(1 - half, None, 2)
            mapped = _with_best(softened[seen], _best_curve(softened[learn], targets[learn]))
            before += error_of(*best_of(softened[seen].astype(np.float32), targets[seen])) or 0.0
            after += error_of(*best_of(mapped.astype(np.float32), targets[seen])) or 0.0
        if after < _ISOTONIC_GAIN * before:
            learned["best"] = _best_curve(softened, targets)
    return learned


def fit_independent(scores: FloatArray, targets: FloatArray) -> Mapping[str, Json]:
    """Return the calibration of sigmoid scores (documents, labels) by 0/1 targets, as plain numbers.

    One temperature for all labels and a shift for each, which undoes balanced class weights. A label with
    enough documents gets an isotonic map instead.
    """
    if not len(scores):
        return IDENTITY
    temperature, shifts = _sigmoid_fit(scores, targets)
    curves: list[dict[str, list[float]] | None] = []
    for own, true in zip(scores.T.astype(np.float64), targets.T.astype(np.float64), strict=True):
        positives = int((true > 0).sum())
        is_enough = min(positives, len(true) - positives) >= _ISOTONIC_POSITIVES
        curves.append(_isotonic(own, true) if is_enough and len(true) >= _ISOTONIC_DOCUMENTS else None)
    return {"method": "sigmoid", "temperature": temperature, "shifts": shifts.tolist(), "isotonic": curves}


def holds(task: DocumentTask, documents: int) -> bool:
    """Tell whether a calibration by so many documents makes scores of the task confidences."""
    return documents >= FEWEST[task.score_kind]


def apply(calibration: Mapping[str, Json], scores: FloatArray) -> FloatArray:
    """Return calibrated scores of the same shape; an unknown method is a `ValueError`."""
    method = calibration.get("method")
    if method == "none" or not scores.size:
        return scores
    if method == "temperature":
        softened = _soften(scores, float(calibration["temperature"]))
        curve = calibration.get("best")
        return (_with_best(softened, curve) if curve else softened).astype(np.float32)
    if method != "sigmoid":
        raise ValueError(f"the calibration method {method!r} is unknown")
    logits = _logit(scores) / float(calibration["temperature"]) + np.array(calibration["shifts"])
    calibrated = _sigmoid(logits)
    for j, curve in enumerate(calibration["isotonic"]):
        if curve is not None:
            calibrated[:, j] = np.interp(scores[:, j], curve["scores"], curve["shares"])
    return calibrated.astype(np.float32)


def best_of(scores: FloatArray, targets: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the best label's score of each document (documents,), and whether that label is right."""
    if not scores.size:
        return np.zeros(0, np.float32), np.zeros(0, bool)
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    return scores[rows, best], targets[rows, best] > 0


def reliability(
    task: DocumentTask, scores: FloatArray, targets: FloatArray, bins: int = 10
) -> tuple[Bin, ...]:
    """Return the filled bins, equally wide, over the scores that the task's decisions rest on."""
    return bins_of(*task.judged(scores, targets), bins)


def expected_calibration_error(task: DocumentTask, scores: FloatArray, targets: FloatArray) -> float | None:
    """Return the mean gap between score and share right over ten bins, by count; None without documents.

    Of labels that are decided one by one it is the mean over labels, weighted by their documents: over all
    cells together the many easy noes of rare labels would make almost any calibration look right.
    """
    if task.exclusive:
        return error_of(*task.judged(scores, targets))
    true = targets > 0
    support = true.sum(axis=0)
    errors = [error_of(*pair) for pair in zip(scores.T, true.T, strict=True)]
    if not support.any():
        return None
    return float(np.average([error or 0.0 for error in errors], weights=support))


def bins_of(scores: FloatArray, right: NDArray[np.bool_], bins: int = 10) -> tuple[Bin, ...]:
    """Return the filled bins, equally wide, of scores in [0, 1] and whether each was right, (scores,)."""
    flat = scores.astype(np.float64)
    which = np.minimum((flat * bins).astype(np.int64), bins - 1)
    count = np.bincount(which, minlength=bins)
    score, hits = np.bincount(which, flat, bins), np.bincount(which, right.astype(np.float64), bins)
    return tuple(
        Bin(float(score[b] / count[b]), float(hits[b] / count[b]), int(count[b]))
        for b in np.flatnonzero(count)
    )


def error_of(scores: FloatArray, right: NDArray[np.bool_]) -> float | None:
    """Return the mean gap between score and share right over ten bins, by count; None without scores."""
    found = bins_of(scores, right)
    total = sum(bar.count for bar in found)
    return sum(abs(bar.score - bar.right) * bar.count for bar in found) / total if total else None


def _best_curve(scores: Doubles, targets: FloatArray) -> dict[str, list[float]]:
    right = targets[np.arange(len(scores)), scores.argmax(axis=1)]
    return _isotonic(scores.max(axis=1), right.astype(np.float64))


def _with_best(scores: Doubles, curve: Mapping[str, list[float]]) -> Doubles:
    """Map the best score of each row and scale the others to the rest, so that none overtakes the best."""
    rows, best = np.arange(len(scores)), scores.argmax(axis=1)
    top, second = scores[rows, best], np.partition(scores, -2, axis=1)[:, -2]
    # At least a twentieth of the margin is kept, so that documents near a boundary keep their order.
    margin = (top - second) / 20
    least = (second + margin * (1 - top)) / np.maximum(1 - top + second, _TINY)
    mapped = np.maximum(np.interp(top, curve["scores"], curve["shares"]), np.minimum(least, 1.0))
    shared = scores * ((1 - mapped) / np.maximum(1 - top, _TINY))[:, None]
    shared[rows, best] = mapped
    return np.asarray(shared)


def _single_temperature(scores: FloatArray, targets: FloatArray) -> float:
    """Minimise the negative log likelihood over log T, which is unimodal, by golden section."""
    logs, true = np.log(np.maximum(scores.astype(np.float64), _TINY)), targets > 0

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        return float((np.logaddexp.reduce(scaled, axis=1) - scaled[true]).mean())

    low, high, ratio = np.log(0.05), np.log(20.0), (np.sqrt(5) - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def _sigmoid_fit(scores: FloatArray, targets: FloatArray) -> tuple[float, Doubles]:
    """Fit sigmoid(logit / T + shift of the label): alternate Newton steps on the shifts and on 1 / T."""
    logits, true = _logit(scores), targets.astype(np.float64)
    slope, shifts = 1.0, np.zeros(scores.shape[1])
    for _ in range(30):
        p = _sigmoid(slope * logits + shifts)
        # A weak normal prior keeps the shift of a label with few positives near zero.
        step = ((p - true).sum(0) + shifts / _PRIOR) / ((p * (1 - p)).sum(0) + 1 / _PRIOR)
        shifts = shifts - np.clip(step, -2, 2)
        p = _sigmoid(slope * logits + shifts)
        gradient, curvature = ((p - true) * logits).sum(), (p * (1 - p) * logits**2).sum() + _TINY
        slope = float(np.clip(slope - np.clip(gradient / curvature, -0.5, 0.5), 0.05, 20.0))
    return 1 / slope, shifts


def _isotonic(scores: Doubles, targets: Doubles) -> dict[str, list[float]]:
    """Pool adjacent violators (Ayer et al., 1955); between the blocks' mean scores the map is linear."""
    blocks: list[list[float]] = []  # sum of scores, sum of targets, count
    order = np.argsort(scores, kind="stable")
    for score, target in zip(scores[order].tolist(), targets[order].tolist(), strict=True):
        blocks.append([score, target, 1.0])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    # NB: flat ends would tie all confident documents, so the curve is drawn on to (0, 0) and (1, 1).
    xs = [0.0, *(block[0] / block[2] for block in blocks), 1.0]
    ys = [0.0, *(block[1] / block[2] for block in blocks), 1.0]
    return {"scores": xs, "shares": ys}


def _soften(scores: FloatArray, temperature: float) -> Doubles:
    scaled = np.log(np.maximum(scores.astype(np.float64), _TINY)) / temperature
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _logit(scores: FloatArray) -> Doubles:
    bounded = np.clip(scores.astype(np.float64), _TINY, 1 - _TINY)
    return np.asarray(np.log(bounded / (1 - bounded)))


def _sigmoid(logits: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -60, 60))))
