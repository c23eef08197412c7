"""Measures a bundle of spans for the report card: figures, speed on this machine, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.bundles.bundle import bundle_bytes, encoder_folder
from training.bundles.span_predictor import SpanPredictor
from training.figures.evaluate import evaluate
from training.preprocess.word_encoder import WordEncoder
from training.reportcard.card import Candidate
from training.reportcard.measurement import SECONDS, timed
from training.spans import SpanDataset
from training.tagging.figures import calibration_error, evaluate_spans
from training.tagging.whole import together
from training.types import Span


@dataclass(frozen=True, slots=True)
class MeasuredSpans:
    """A candidate with the spans that it found in each text, from which models are compared.

    `decisions` (texts, labels) are on the labels of whole texts, where the task has some.
    """

    candidate: Candidate
    found: tuple[tuple[Span, ...], ...]
    decisions: NDArray[np.bool_] | None = None


def measure_spans(
    start: Candidate,
    bundle: Path,
    reporting: SpanDataset,
    *,
    encoder: WordEncoder | None = None,
    encoder_root: Path | None = None,
    seconds: float = SECONDS,
    seed: int = 0,
) -> MeasuredSpans:
    """Return `start` with the figures of its bundle on `reporting`, measured with one thread.

    A given `encoder` provides stored vectors for the figures. Speed is always that of the bundle's own
    encoder; where `start` has a speed already, that one is kept. Raises `BundleError` for a bundle that
    cannot be loaded.
    """
    predictor = SpanPredictor(bundle, encoder_root=encoder_root)
    words = predictor.word_scores(reporting.texts, encoder=encoder)
    answers = predictor.decoder.answers(words)
    given = tuple(answer.spans for answer in answers)
    keys = reporting.schema.keys
    figures = evaluate_spans(keys, reporting.spans, given, np.random.default_rng(seed))
    scores = np.array([score for answer in answers for _label, score in answer.span_scores], np.float64)
    right = [span in {*ours} for ours, own in zip(reporting.spans, given, strict=True) for span in own]
    wrong = calibration_error(scores, np.array(right, bool)) if figures.f1 is not None else None

    whole, labels = predictor.decoder.whole, reporting.labels
    evaluation = figures.as_evaluation(predictor.decoder.bias.tolist(), wrong)
    decisions = None
    if whole is not None and labels is not None:
        said = whole.scores(words)
        decisions = whole.decide(said)
        of_labels = evaluate(
            labels.schema, labels.targets, said, whole.thresholds, np.random.default_rng(seed)
        )
        evaluation = together(of_labels, evaluation)

    def say(texts: Sequence[str]) -> object:
        return predictor.answers(texts)

    folder = encoder_folder(bundle, predictor.manifest, encoder_root)
    found = replace(
        start,
        evaluation=evaluation,
        speed=start.speed or timed(say, reporting.texts, seconds),
        bundle_bytes=bundle_bytes(bundle),
        encoder_bytes=sum(file.stat().st_size for file in folder.iterdir()) if folder else 0,
        precision=predictor.manifest.precision,
    )
    return MeasuredSpans(found, given, decisions)
