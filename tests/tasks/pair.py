"""Exactly two labels a document: a third task, to prove that a task is one file in each half of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.figures import calibration
from training.types import Answer, DocumentTask, FloatArray, Json, Objective, ScoreKind

ENOUGH_FOR_TEMPERATURE = 50  # documents


class PairOfLabels(DocumentTask):
    """Two labels are right: each is scored by itself, and the two best are decided on."""

    key = "pair"
    score_kind = ScoreKind.INDEPENDENT
    has_thresholds = False
    least_labels = 3
    default_strategy = "random"
    instruction = "Choose exactly two labels, those that fit best."

    def fault(self, answer: Answer) -> str:
        if len(answer.labels) == 2 and not answer.spans:
            return ""
        return f"A document takes exactly two labels; {len(answer.labels)} are given."

    def decide(self, scores: FloatArray, thresholds: FloatArray) -> NDArray[np.bool_]:
        """Return the two best labels of each document."""
        decisions = np.zeros(scores.shape, dtype=bool)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :2]
        decisions[np.arange(len(scores))[:, None], best] = True
        return decisions

    def calibrate(self, scores: FloatArray, targets: FloatArray) -> Mapping[str, Json]:
        return calibration.fit_independent(scores, targets)

    def tune(
        self, scores: FloatArray, targets: FloatArray, objective: Objective, value: float = 1.0
    ) -> FloatArray:
        return np.zeros(scores.shape[1], np.float32)

    def is_enough_to_tune(self, targets: FloatArray) -> bool:
        return len(targets) >= ENOUGH_FOR_TEMPERATURE

    def confidence(self, scores: FloatArray) -> FloatArray:
        """Return the probability that both are right, as if they were independent."""
        return np.asarray(np.sort(scores, axis=1)[:, -2:].prod(axis=1), np.float32)

    def margin(self, scores: FloatArray, thresholds: FloatArray) -> FloatArray:
        """Return the second score less the third, which is chosen next."""
        best = np.sort(scores, axis=1)
        return np.asarray(best[:, -2] - best[:, -3], np.float32)

    def judged(self, scores: FloatArray, targets: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        return scores.ravel(), (targets > 0).ravel()

    def confusion(
        self, targets: FloatArray, decisions: NDArray[np.bool_]
    ) -> tuple[tuple[int, ...], ...] | None:
        return None

    def reply_schema(self, names: Sequence[str]) -> dict[str, Json]:
        return {"labels": {"type": "array", "items": {"enum": list(names)}, "minItems": 2, "maxItems": 2}}

    def reply(self, names: Sequence[str]) -> dict[str, Json]:
        return {"labels": list(names)}

    def read_reply(self, content: Json) -> tuple[str, ...]:
        if not isinstance(content, dict) or set(content) != {"labels"}:
            raise ValueError("The object must have the field “labels” only.")
        return tuple(content["labels"])


PAIR = PairOfLabels()
