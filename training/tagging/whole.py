"""Labels of whole texts, by a model that tags their words as well: decisions, figures, differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.figures import calibration, evidence
from training.figures.evaluate import PairedDifference, paired_bootstrap
from training.spans import SpanDataset, WordScores
from training.tagging.figures import Spans, paired_difference
from training.types import Answer, Evaluation, FloatArray, Json, LabelSchema, Objective


@dataclass(frozen=True, slots=True)
class LabelDecoder:
    """How a model's scores of whole texts become labels: a threshold of each (labels,), and a calibration."""

    schema: LabelSchema
    thresholds: FloatArray
    calibration: Mapping[str, Json]

    def scores(self, found: Sequence[WordScores]) -> FloatArray:
        """Return calibrated scores (texts, labels)."""
        raw = np.zeros((len(found), len(self.schema)), np.float32)
        for row, said in zip(raw, found, strict=True):
            row[:] = said.whole
        return calibration.apply(self.calibration, raw)

    def decide(self, scores: FloatArray) -> NDArray[np.bool_]:
        """Return decisions (texts, labels) of calibrated scores."""
        return self.schema.task.decide(scores, self.thresholds)

    def tuned_anew(self, found: Sequence[WordScores], targets: FloatArray) -> LabelDecoder:
        """Return the decoder with the thresholds that these texts set; their targets are (texts, labels)."""
        cuts = self.schema.task.tune(self.scores(found), targets, Objective.F1)
        return replace(self, thresholds=cuts)

    def added(self, answers: Sequence[Answer], found: Sequence[WordScores]) -> list[Answer]:
        """Return the answers with the labels of each whole text, and the scores of all labels behind them."""
        scores = self.scores(found)
        kept = []
        for answer, row, chosen in zip(answers, scores.tolist(), self.decide(scores), strict=True):
            ranked = sorted(zip(self.schema.keys, row, strict=True), key=lambda pair: -pair[1])
            labels = tuple(self.schema.keys[j] for j in np.flatnonzero(chosen))
            kept.append(replace(answer, labels=labels, scores=(*answer.scores, *ranked)))
        return kept

    def margins(self, found: Sequence[WordScores]) -> FloatArray:
        """Return how far (texts,) the least sure label is from its threshold."""
        return self.schema.task.margin(self.scores(found), self.thresholds)


def together(labels: Evaluation, spans: Evaluation) -> Evaluation:
    """Return the figures of a model's labels and of its spans as those of one model.

    Macro-F1 is that of the labels, micro-F1 the entity F1; `Evaluation.judged` is the mean of the two.
    """
    return replace(
        spans,
        macro_f1=labels.macro_f1,
        macro_f1_low=labels.macro_f1_low,
        macro_f1_high=labels.macro_f1_high,
        judged_by="both",
        per_class=labels.per_class + spans.per_class,
    )


Said: TypeAlias = tuple[Spans, NDArray[np.bool_]]
"""The spans of each text, and decisions (texts, labels) on the labels of the whole."""


def joint_difference(
    true: SpanDataset, ours: Said, theirs: Said, rng: np.random.Generator
) -> PairedDifference:
    """Return by how much joint F1 of one model is above that of another on the same texts.

    That is the mean of the labels' macro-F1 and of entity F1.
    """
    assert true.labels is not None
    labels = paired_bootstrap(true.labels.targets, ours[1], theirs[1], rng)
    return mean_difference(labels, paired_difference(true.spans, ours[0], theirs[0], rng))


def mean_difference(labels: PairedDifference, spans: PairedDifference) -> PairedDifference:
    """Return how the means of macro-F1 and entity F1 of two models differ on the same texts.

    The two halves are of the same texts, so their errors may go together: the error of the mean is taken to
    be as large as it is where they always do.
    """
    difference = (labels.difference + spans.difference) / 2
    error = (labels.error + spans.error) / 2
    return PairedDifference(
        difference,
        max(-1.0, difference - evidence.Z * error),
        min(1.0, difference + evidence.Z * error),
        (1 + math.erf(difference / error / math.sqrt(2))) / 2,
        error,
    )
