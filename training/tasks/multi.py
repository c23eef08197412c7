"""Any number of labels a document, none included: each label's threshold decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.figures import calibration, thresholds
from training.types import Answer, DocumentTask, FloatArray, Json, Objective, ScoreKind

ENOUGH_POSITIVES = 20  # of the median label: each label's threshold is fitted


class MultiLabel(DocumentTask):
    """Each label is a yes or no of its own: scores are sigmoids, and every label has a threshold."""

    key = "multi"
    score_kind = ScoreKind.INDEPENDENT
    has_thresholds = True
    least_labels = 1
    default_strategy = "label_turns"
    instruction = "Choose every label that applies; an empty list where none does."

    def fault(self, answer: Answer) -> str:
        return "Spans are given; a document of this task takes labels only." if answer.spans else ""

    def agreed(self, answers: Sequence[Answer]) -> Answer:
        """Return every label that more than half gave, and of those that half gave the latest answer's."""
        given = Counter(label for answer in answers for label in set(answer.labels))
        latest, half = set(answers[-1].labels), len(answers) / 2
        kept = (key for key, votes in given.items() if votes > half or (votes == half and key in latest))
        return Answer(tuple(sorted(kept, key=str)))

    def decide(self, scores: FloatArray, thresholds: FloatArray) -> NDArray[np.bool_]:
        """Return every label at or over its threshold."""
        return np.asarray(scores >= np.asarray(thresholds, np.float32))

    def calibrate(self, scores: FloatArray, targets: FloatArray) -> Mapping[str, Json]:
        return calibration.fit_independent(scores, targets)

    def tune(
        self, scores: FloatArray, targets: FloatArray, objective: Objective, value: float = 1.0
    ) -> FloatArray:
        return thresholds.tune(scores, targets, objective, value)

    def is_enough_to_tune(self, targets: FloatArray) -> bool:
        return float(np.median(targets.sum(axis=0))) >= ENOUGH_POSITIVES

    def confidence(self, scores: FloatArray) -> FloatArray:
        """Return the probability that every yes and every no is right, as if they were independent."""
        return np.asarray(np.maximum(scores, 1 - scores).prod(axis=1), np.float32)

    def margin(self, scores: FloatArray, thresholds: FloatArray) -> FloatArray:
        """Return the distance of the score that is nearest to its label's threshold."""
        return np.asarray(np.abs(scores - thresholds).min(axis=1, initial=1.0), np.float32)

    def judged(self, scores: FloatArray, targets: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        return scores.ravel(), (targets > 0).ravel()

    def confusion(
        self, targets: FloatArray, decisions: NDArray[np.bool_]
    ) -> tuple[tuple[int, ...], ...] | None:
        return None

    def reply_schema(self, names: Sequence[str]) -> dict[str, Json]:
        return {"labels": {"type": "array", "items": {"type": "string", "enum": list(names)}}}

    def reply(self, names: Sequence[str]) -> dict[str, Json]:
        return {"labels": list(names)}

    def read_reply(self, content: Json) -> tuple[str, ...]:
        if not isinstance(content, dict) or set(content) != {"labels"}:
            raise ValueError("The object must have the field “labels” only.")
        names = content["labels"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("The field “labels” must be a list of strings.")
        return tuple(names)


MULTI = MultiLabel()
