"""Trains and measures models of spans for a card, and tells what they are compared by."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.bundles.span_predictor import SpanPredictor
from training.cli.spans.bench import PIECES, seconds_of_pieces
from training.cli.spans.encoders import word_encoder_for
from training.preprocess.words import WAYS
from training.reportcard.card import Candidate
from training.reportcard.recommend import FoundBoth, FoundSpans
from training.reportcard.span_measurement import MeasuredSpans, measure_spans
from training.runs.span_pipeline import SpanRunReport, train_spans
from training.spans import SpanDataset
from training.types import RunSpec


@dataclass(frozen=True, slots=True)
class SpanFiles:
    """The texts that every candidate learns from, is tuned on and is measured on."""

    train: SpanDataset
    tuning: SpanDataset
    test: SpanDataset


def compared(measured: Sequence[MeasuredSpans], test: SpanDataset) -> FoundSpans | FoundBoth:
    """Return what the candidates found, by which they are compared: in labels of whole texts as well."""
    if test.labels is None:
        return FoundSpans(test.spans, {row.candidate.name: row.found for row in measured})
    said = {row.candidate.name: (row.found, row.decisions) for row in measured if row.decisions is not None}
    return FoundBoth(test, said)


def train_and_measure_spans(
    start: Candidate, files: SpanFiles, bundle: Path, arguments: argparse.Namespace
) -> MeasuredSpans:
    """Train the candidate, and return it with the figures of its bundle on the test file."""
    encoder, root = word_encoder_for(start.family, arguments)
    if encoder is not None:
        # Vectors are kept for all candidates, so no single one is charged for them.
        taught = () if files.train.taught is None else files.train.taught.texts
        for texts in (files.train.texts, taught, files.tuning.texts, files.test.texts):
            encoder.vectors(texts, [WAYS[files.train.way](text) for text in texts])
    began = time.perf_counter()
    report = train_spans(
        RunSpec(start.family, start.params, seed=arguments.seed),
        files.train,
        bundle,
        tuning=files.tuning,
        reporting=files.test.rows([]),  # it is measured below, outside the time that is taken
        encoder=encoder,
        encoder_root=root,
        self_contained=True,
        replace_bundle=True,
    )
    start = replace(start, train_seconds=time.perf_counter() - began)
    least = 1_000 * seconds_of_pieces(SpanPredictor(bundle), files.test.texts).min()
    notes = [report.parity.note, _teaching(report), f"{PIECES} word pieces take {least:.1f} ms at least"]
    start = replace(start, notes=tuple(filter(None, notes)))
    return measure_spans(start, bundle, files.test, encoder=encoder, seed=arguments.seed)


def _teaching(report: SpanRunReport) -> str:
    """Return whether what a teacher said was learned and why, as a sentence; "" without a teacher."""
    told = report.details
    if "is_taught" not in told:
        return ""
    if told["f1_alone"] is None:
        return "what the teacher said was not learned: the tuning texts have too few spans to tell its worth"
    verdict = "was learned" if told["is_taught"] else "was not learned"
    return (
        f"what the teacher said {verdict}: F1 {told['f1_taught']:.3f} with it and {told['f1_alone']:.3f} "
        "without it in the tuning texts"
    )
