"""`python -m training distil` for a teacher of spans: it marks a pool, a cheaper family learns from that."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from training.bundles.span_predictor import SpanPredictor
from training.cli.candidates import row_of_teacher, unlimited_card
from training.cli.card import tell_student
from training.cli.inputs import parse_settings
from training.cli.spans.candidates import SpanFiles, compared, train_and_measure_spans
from training.cli.spans.inputs import read_plain_texts, read_span_datasets
from training.reportcard.card import Candidate
from training.reportcard.span_measurement import MeasuredSpans, measure_spans
from training.runs.distillation import recovered, teach_spans, unlabelled
from training.tagging.ways import usual_way
from training.types import TrainingError


def run(arguments: argparse.Namespace) -> None:
    """Train the student with and without its teacher, and measure all three on the same texts."""
    if arguments.train is None or arguments.tuning is None:
        raise TrainingError(
            "A teacher's spans are learned beside people's, and where they help: give --train and --tuning."
        )
    root, text = arguments.cache / "encoders", arguments.text or "text"
    teacher = SpanPredictor(arguments.teacher, encoder_root=root)
    schema, paths = teacher.schema, [arguments.train, arguments.tuning, arguments.test]
    labelled, tuning, test = read_span_datasets(paths, text, schema.task.key, schema.labels)
    labelled = replace(labelled, way=usual_way(labelled))
    texts = unlabelled(read_plain_texts(arguments.pool, text), labelled, tuning, test)
    print(f"the teacher marks {len(texts)} texts", file=sys.stderr, flush=True)
    taught = teach_spans(teacher, labelled, texts)
    start = row_of_teacher(teacher.manifest)
    rows = [measure_spans(start, arguments.teacher, test, encoder_root=root, seed=arguments.seed)]
    with tempfile.TemporaryDirectory(prefix="winnow-distil-") as scratch:
        alone = SpanFiles(labelled, tuning, test)
        rows.append(_student("alone", alone, Path(scratch) / "alone", arguments))
        rows.append(_student("distilled", replace(alone, train=taught), arguments.out, arguments))
    candidates = [row.candidate for row in rows]
    card = unlimited_card(candidates, compared(rows, test), len(schema), seed=arguments.seed)
    figures = [row.evaluation.judged if row.evaluation else None for row in card.candidates]
    share = recovered(figures[1], figures[2], figures[0])
    tell_student(card, taught=len(texts), share=share, tested=len(test), arguments=arguments)


def _student(name: str, files: SpanFiles, bundle: Path, arguments: argparse.Namespace) -> MeasuredSpans:
    print(f"{arguments.family}:{name} ...", file=sys.stderr, flush=True)
    params = parse_settings(arguments.set)
    start = Candidate(f"{arguments.family}:{name}", arguments.family, params, labelled=len(files.train))
    return train_and_measure_spans(start, files, bundle, arguments)
