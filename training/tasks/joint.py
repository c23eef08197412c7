"""Any number of labels of the whole document, and labelled stretches of its text: both on one card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from training.spans import SpanDataset
from training.tagging.answers import Decoder
from training.tagging.whole import LabelDecoder
from training.tasks.multi import MULTI
from training.tasks.span import SPAN, SpanTask
from training.types import (
    Answer,
    DocumentTask,
    Json,
    LabelSchema,
    LabelSpec,
    Pool,
    Schema,
    ScoreKind,
    Task,
    TrainingError,
)


class JointTask(Task):
    """An answer is one of each of two tasks, `whole` and `pieces`, and each half is read as that task does.

    A label has one kind: it stands for whole documents, or for pieces of their texts (`LabelSpec.of_spans`).
    In a schema those of whole documents come first.
    """

    key = "joint"
    score_kind = ScoreKind.BOTH
    has_thresholds = False
    least_labels = 2
    default_strategy = "both_margins"
    whole: ClassVar[DocumentTask] = MULTI
    pieces: ClassVar[SpanTask] = SPAN

    def fault(self, answer: Answer) -> str:
        return self.whole.fault(Answer(answer.labels)) or self.pieces.fault(Answer(spans=answer.spans))

    def text_fault(self, answer: Answer, text: str) -> str:
        """Return why the answer cannot be one to this text, as a sentence; "" where it can."""
        return self.fault(answer) or self.pieces.text_fault(Answer(spans=answer.spans), text)

    def agreed(self, answers: Sequence[Answer]) -> Answer:
        """Return what the answers come to in either half: more than half of the people gave it."""
        labels = self.whole.agreed([Answer(one.labels) for one in answers]).labels
        return Answer(labels, self.pieces.agreed([Answer(spans=one.spans) for one in answers]).spans)

    def dataset(
        self,
        labels: tuple[LabelSpec, ...],
        texts: Sequence[str],
        answers: Sequence[Answer],
        pool: Pool | None = None,
    ) -> SpanDataset:
        """Return texts with their spans, and with labels of the whole texts.

        Raises `TrainingError` for a label of the other kind, as for one that is unknown.
        """
        whole, pieces = halves(Schema(self, labels))
        of_texts = self.whole.dataset(whole.labels, texts, [Answer(one.labels) for one in answers])
        found = self.pieces.dataset(pieces.labels, texts, answers, pool)
        return replace(found, labels=of_texts)


JOINT = JointTask()


def halves(schema: Schema) -> tuple[LabelSchema, Schema]:
    """Return the schemas of the labels of whole documents and of spans; a task of spans has only the latter.

    Raises `TrainingError` where a label of whole documents stands behind one of spans.
    """
    if not isinstance(schema.task, JointTask):
        return LabelSchema(MULTI, ()), schema
    if schema.labels != tuple(in_order(schema.labels)):
        raise TrainingError("Labels of whole documents have to come before those of spans.")
    whole = tuple(label for label in schema.labels if not label.of_spans)
    return LabelSchema(MULTI, whole), Schema(SPAN, schema.labels[len(whole) :])


def in_order(labels: Iterable[LabelSpec]) -> list[LabelSpec]:
    """Return labels as a schema of both kinds has them; within a kind their order stays."""
    return sorted(labels, key=lambda label: label.of_spans)


def decoder_of(schema: Schema, thresholds: Sequence[float], calibration: Mapping[str, Json]) -> Decoder:
    """Return the decoder of a bundle's schema, of its thresholds in that order, and of its calibration.

    A task with labels of whole documents has a calibration of each half, "labels" and "spans".
    """
    whole, pieces = halves(schema)
    cuts = np.array(thresholds, np.float32)
    if not isinstance(schema.task, JointTask):
        return Decoder(pieces.keys, cuts, calibration)
    of_texts = LabelDecoder(whole, cuts[: len(whole)], calibration["labels"])
    return Decoder(pieces.keys, cuts[len(whole) :], calibration["spans"], of_texts)


def thresholds_of(decoder: Decoder) -> tuple[float, ...]:
    """Return what `decoder_of` reads: a threshold for each label of whole texts, a bias for each of spans."""
    whole = [] if decoder.whole is None else decoder.whole.thresholds.tolist()
    return (*whole, *decoder.bias.tolist())


def calibration_of(decoder: Decoder) -> Mapping[str, Json]:
    """Return the calibration that `decoder_of` reads."""
    if decoder.whole is None:
        return decoder.calibration
    return {"labels": decoder.whole.calibration, "spans": decoder.calibration}


def schema_of(dataset: SpanDataset) -> Schema:
    """Return the schema of all answers to a dataset's texts, those of whole texts included."""
    if dataset.labels is None:
        return dataset.schema
    return Schema(JOINT, (*dataset.labels.schema.labels, *dataset.schema.labels))
