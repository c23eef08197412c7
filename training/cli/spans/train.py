"""`python -m training train --task span` or `joint`: learn from one file, measure the bundle on another."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace

from training.cli.inputs import parse_settings
from training.cli.spans.encoders import word_encoder_for
from training.cli.spans.inputs import limited, read_span_datasets, word_count
from training.figures.evidence import is_enough, why_none
from training.preprocess.words import WAYS
from training.runs.span_pipeline import SpanRunReport, train_spans
from training.tagging.ways import usual_way
from training.threads import machine
from training.types import Evaluation, Json, RunSpec


def run(arguments: argparse.Namespace) -> None:
    """Train, write the bundle, and write the figures that the bundle reaches on the test file."""
    tuning_file = arguments.dev or arguments.tuning
    paths = [arguments.train, arguments.test, *([tuning_file] if tuning_file else [])]
    train, test, *rest = read_span_datasets(paths, arguments.text or "text", arguments.task)
    train = limited(train, arguments.limit, arguments.seed)
    tuning = rest[0] if rest else train.rows([])
    spec = RunSpec(family=arguments.family, params=parse_settings(arguments.set), seed=arguments.seed)
    encoder, root = word_encoder_for(arguments.family, arguments)
    encode_s = 0.0
    if encoder is not None:
        started = time.perf_counter()
        train = replace(train, way=usual_way(train))
        for dataset in (train, tuning, test):  # kept from now on, as a site keeps them from an import on
            encoder.vectors(dataset.texts, [WAYS[train.way](text) for text in dataset.texts])
        encode_s = time.perf_counter() - started
    report = train_spans(
        spec,
        train,
        arguments.out,
        tuning=tuning,
        reporting=test,
        encoder=encoder,
        encoder_root=root,
        self_contained=True,
        replace_bundle=True,
        on_progress=lambda stage, done: print(f"{done:4.0%} {stage}", file=sys.stderr),
    )
    figures = span_figures(report) | {"words": word_count(train.texts), "encode_s": encode_s}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), "utf-8")
    shown = {key: value for key, value in figures.items() if key not in ("per_type", "confusions", "labels")}
    if report.labels is not None:
        shown |= {"macro_f1_labels": report.labels.macro_f1, "micro_f1_labels": report.labels.micro_f1}
    print(json.dumps(shown, ensure_ascii=False))


def span_figures(report: SpanRunReport) -> dict[str, Json]:
    """Return the figures for people and programs; entity F1 is micro-F1 of exact spans."""
    found = report.evaluation
    whole = {} if report.labels is None else {"labels": _label_figures(report.labels)}
    return whole | {
        "documents": found.documents,
        "labelled": report.labelled,
        "reason": "" if is_enough(found.documents) else why_none(found.documents),
        "support": found.support,
        "entity_f1": found.f1,
        "entity_f1_low": found.f1_low,
        "entity_f1_high": found.f1_high,
        "precision": found.precision,
        "recall": found.recall,
        "macro_f1": found.macro_f1,
        "partial_f1": found.partial_f1,
        "ece": report.calibration_error,
        "fit_s": report.fit_seconds,
        "bundle_bytes": report.bundle_bytes,
        "biases": list(report.biases),
        "parity": report.parity.to_json(),
        "machine": machine(),
        "details": dict(report.details),
        "per_type": {one.key: asdict(one) for one in found.per_type},
        "confusions": [list(one) for one in found.confusions],
    }


def _label_figures(found: Evaluation) -> dict[str, Json]:
    """Return the figures of labels of whole texts, by the thresholds of the bundle."""
    return {
        "macro_f1": found.macro_f1,
        "macro_f1_low": found.macro_f1_low,
        "macro_f1_high": found.macro_f1_high,
        "micro_f1": found.micro_f1,
        "calibration_error": found.calibration_error,
        "per_class": [asdict(label) for label in found.per_class],
    }
