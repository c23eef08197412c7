"""Exactly one label a document: the best score decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.figures import calibration
from training.types import Answer, DocumentTask, FloatArray, Json, Objective, ScoreKind

ENOUGH_FOR_TEMPERATURE = 100  # documents: one number is fitted


class SingleLabel(DocumentTask):
    """One label is right, the others are wrong: scores are a softmax, and no threshold applies."""

    key = "single"
    score_kind = ScoreKind.EXCLUSIVE
    has_thresholds = False
    least_labels = 2
    default_strategy = "margin"
    instruction = "Choose exactly one label, the one that fits best."

    def fault(self, answer: Answer) -> str:
        if len(answer.labels) == 1 and not answer.spans:
            return ""
        return f"{len(answer.labels)} labels are given; a document of this task takes exactly one."

    def decide(self, scores: FloatArray, thresholds: FloatArray) -> NDArray[np.bool_]:
        """Return the best label of each document; of equal scores the first in schema order wins."""
        decisions = np.zeros(scores.shape, dtype=bool)
        if scores.size:
            decisions[np.arange(len(scores)), scores.argmax(axis=1)] = True
        return decisions

    def calibrate(self, scores: FloatArray, targets: FloatArray) -> Mapping[str, Json]:
        return calibration.fit_exclusive(scores, targets)

    def tune(
        self, scores: FloatArray, targets: FloatArray, objective: Objective, value: float = 1.0
    ) -> FloatArray:
        return np.zeros(scores.shape[1], np.float32)

    def is_enough_to_tune(self, targets: FloatArray) -> bool:
        return len(targets) >= ENOUGH_FOR_TEMPERATURE

    def confidence(self, scores: FloatArray) -> FloatArray:
        return np.asarray(scores.max(axis=1, initial=0.0), np.float32)

    def margin(self, scores: FloatArray, thresholds: FloatArray) -> FloatArray:
        """Return the best score less the second; the best alone where there is one label."""
        if scores.shape[1] < 2:
            return self.confidence(scores)
        best = np.sort(scores, axis=1)[:, -2:]  # (documents, 2)
        return np.asarray(best[:, 1] - best[:, 0], np.float32)

    def judged(self, scores: FloatArray, targets: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        return calibration.best_of(scores, targets)

    def confusion(
        self, targets: FloatArray, decisions: NDArray[np.bool_]
    ) -> tuple[tuple[int, ...], ...] | None:
        labels = targets.shape[1]
        if not len(targets):
            return tuple((0,) * labels for _ in range(labels))
        cells = (targets > 0).argmax(axis=1) * labels + decisions.argmax(axis=1)
        matrix = np.bincount(cells, minlength=labels * labels).reshape(labels, labels)
        return tuple(tuple(row) for row in matrix.tolist())

    def reply_schema(self, names: Sequence[str]) -> dict[str, Json]:
        return {"label": {"type": "string", "enum": list(names)}}

    def reply(self, names: Sequence[str]) -> dict[str, Json]:
        return {"label": names[0]}

    def read_reply(self, content: Json) -> tuple[str, ...]:
        if not isinstance(content, dict) or set(content) != {"label"}:
            raise ValueError("The object must have the field “label” only.")
        if not isinstance(content["label"], str):
            raise ValueError("The field “label” must be a string.")
        return (content["label"],)


SINGLE = SingleLabel()
