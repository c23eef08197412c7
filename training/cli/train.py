"""`python -m training train`: learn from one file, measure the bundle on another."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from training.bundles.predictor import Predictor
from training.cli.embedders import add_encoder_arguments, embedder_for
from training.cli.inputs import (
    add_file_arguments,
    add_objective_arguments,
    check_columns,
    labels_spans,
    output_file,
    output_folder,
    parse_settings,
    read_datasets,
    read_labels,
    read_texts,
)
from training.cli.spans import train as spans
from training.encoders.neighbours import nearest
from training.families.build import check_parameters
from training.figures import calibration
from training.figures.evaluate import macro_f1
from training.figures.evidence import figure, is_enough, why_none
from training.figures.thresholds import DEFAULT
from training.registry import FAMILIES
from training.runs.pipeline import rows_of, train_and_package
from training.threads import machine
from training.types import Dataset, Embedder, Json, Pool, RunReport, RunSpec


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("train", help="train a model and write its bundle")
    add_file_arguments(parser)
    parser.add_argument(
        "--tuning", type=Path, metavar="F", help="tune thresholds on this file, not out of fold"
    )
    parser.add_argument("--labels", type=Path, metavar="F", help="all labels, with descriptions for models")
    parser.add_argument("--pool", type=Path, metavar="F", help="unlabelled texts to learn from as well")
    parser.add_argument("--family", required=True, choices=sorted(FAMILIES))
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a family's parameter"
    )
    add_objective_arguments(parser)
    parser.add_argument("--dev", type=Path, metavar="F", help="spans: what biases and calibration learn from")
    parser.add_argument(
        "--limit", type=int, metavar="N", help="spans: the first texts of a shuffle by --seed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=output_folder, required=True, metavar="DIR", help="folder of the bundle"
    )
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write the figures there")
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train, write the bundle, and write the figures that the bundle reaches on the test file."""
    if labels_spans(arguments):
        spans.run(arguments)
        return
    check_columns(arguments)
    others = [arguments.test, *([arguments.tuning] if arguments.tuning else [])]
    columns = {"text": arguments.text, "label": arguments.label, "multi": arguments.multi}
    labels = read_labels(arguments.labels) if arguments.labels else ()
    train, test, *rest = read_datasets(arguments.train, others, **columns, labels=labels)
    tuning = rest[0] if rest else rows_of(train, np.zeros(len(train), bool))
    spec = RunSpec(
        family=arguments.family,
        params=parse_settings(arguments.set),
        objective=arguments.objective,
        objective_value=arguments.objective_value,
        seed=arguments.seed,
    )
    check_parameters(spec)
    embedder, encoder_root = embedder_for(arguments.family, arguments)
    if arguments.pool is not None:
        texts = tuple(read_texts(arguments.pool, arguments.text))
        near = nearest(embedder.embed(train.texts + texts)) if embedder else None
        train = replace(train, pool=Pool(texts, near))
    report = train_and_package(
        spec,
        train,
        arguments.out,
        tuning=tuning,
        reporting=test,
        embedder=embedder,
        encoder_root=encoder_root,
        self_contained=True,
        replace_bundle=True,
        on_progress=lambda stage, done: print(f"{done:4.0%} {stage}", file=sys.stderr),
    )
    figures = _figures(report, test, embedder)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, ensure_ascii=False, indent=1), "utf-8")
    print(
        json.dumps({key: value for key, value in figures.items() if key != "per_class"}, ensure_ascii=False)
    )


def _figures(report: RunReport, test: Dataset, embedder: Embedder | None) -> dict[str, Json]:
    """Return the figures for people and programs, among them macro-F1 with 0.5 as every threshold.

    That one is measured on the model's own probabilities, which is the model as it was trained, and on
    calibrated ones. Calibration moves scores in the direction of tuned thresholds, so the second shows how
    much of the gain is due to calibration.
    """
    evaluation = report.evaluation
    predictor = Predictor(report.bundle)
    raw = predictor.predict_raw(test.texts, embedder=embedder)
    calibrated = calibration.apply(predictor.manifest.calibration, raw)
    half = np.full(len(test.schema), DEFAULT, np.float32)
    task = test.schema.task
    return {
        "documents": evaluation.documents,
        "labelled": report.labelled,
        "reason": "" if is_enough(len(test)) else why_none(len(test)),
        "macro_f1": evaluation.macro_f1,
        "macro_f1_low": evaluation.macro_f1_low,
        "macro_f1_high": evaluation.macro_f1_high,
        "micro_f1": evaluation.micro_f1,
        "macro_f1_at_half": figure(macro_f1(test.targets, task.decide(raw, half)), len(test)),
        "macro_f1_at_half_calibrated": figure(
            macro_f1(test.targets, task.decide(calibrated, half)), len(test)
        ),
        "calibration_error": evaluation.calibration_error,
        "fit_s": report.fit_seconds,
        "bundle_bytes": report.bundle_bytes,
        "parity": asdict(report.parity),
        "machine": machine(),
        "details": dict(report.details),
        "per_class": [asdict(label) for label in evaluation.per_class],
    }
