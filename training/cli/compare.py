"""`python -m training compare`: train families on one file, measure them on another, recommend one."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.cli.candidates import (
    ComparisonPlan,
    Files,
    Vectors,
    card_of,
    none_of,
    plans_of,
    train_and_measure,
)
from training.cli.card import show
from training.cli.embedders import add_encoder_arguments, embedder_for
from training.cli.inputs import (
    add_file_arguments,
    check_columns,
    labels_spans,
    output_file,
    output_folder,
    read_datasets,
)
from training.cli.spans import compare as spans
from training.registry import FAMILIES, entry
from training.reportcard.card import Candidate
from training.reportcard.measurement import Measured
from training.reportcard.recommend import TOLERANCE, DecidedDocuments
from training.runs.pipeline import rows_of
from training.types import TrainingError

_OF_THE_ENCODER = ("encoder", "precision")  # settings of a candidate that the encoder gets, not the family


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("compare", help="measure families side by side and recommend one")
    add_file_arguments(parser)
    parser.add_argument("--tuning", type=Path, metavar="F", help="tune thresholds on this file")
    parser.add_argument(
        "--families", required=True, metavar="A,B,B:VARIANT", help=f"of {', '.join(sorted(FAMILIES))}"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME.KEY=VALUE", help="a candidate's parameter"
    )
    parser.add_argument("--latency-ms", type=float, metavar="X", help="p99 of a single text at most")
    parser.add_argument("--size-mb", type=float, metavar="Y", help="bundle and encoder at most")
    parser.add_argument("--explainable", action="store_true", help="it must say which words decided")
    parser.add_argument("--languages", nargs="+", default=[], metavar="CODE", help="such as en ru")
    parser.add_argument("--labels", type=int, metavar="N", help="train on N documents: the labels at hand")
    parser.add_argument("--classes", type=int, metavar="N", help="labels that the project will have")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="macro-F1 that is not worth paying"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundles", type=output_folder, metavar="DIR", help="keep the bundles there")
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write the card there")
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train and measure every candidate, then print the card."""
    plans = plans_of(arguments.families, arguments.set)
    if labels_spans(arguments):
        spans.run(arguments, plans)
        return
    check_columns(arguments)
    others = [arguments.test, *([arguments.tuning] if arguments.tuning else [])]
    columns = {"text": arguments.text, "label": arguments.label, "multi": arguments.multi}
    train, test, *rest = read_datasets(arguments.train, others, **columns)
    at_hand = arguments.labels
    if at_hand is not None and at_hand < len(train):
        if at_hand < 1:
            raise TrainingError("--labels must be at least 1.")
        # A project has so many labels at its start, and the card shows that moment.
        rng = np.random.default_rng(arguments.seed)
        train = rows_of(train, rng.choice(len(train), at_hand, replace=False))
    files = Files(train, rest[0] if rest else none_of(train), test)
    with tempfile.TemporaryDirectory(prefix="winnow-compare-") as scratch:
        folder = arguments.bundles or Path(scratch)
        rows = [_row(plan, files, folder / plan.name.replace(":", "-"), arguments) for plan in plans]
    candidates = [row.candidate if isinstance(row, Measured) else row for row in rows]
    decisions = {row.candidate.name: row.decisions for row in rows if isinstance(row, Measured)}
    card = card_of(candidates, DecidedDocuments(test.targets, decisions), len(test.schema), arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(card.to_json(), ensure_ascii=False, indent=1), "utf-8")
    print(show(card))


def _row(
    plan: ComparisonPlan, files: Files, bundle: Path, arguments: argparse.Namespace
) -> Candidate | Measured:
    print(f"{plan.name} ...", file=sys.stderr, flush=True)
    start = Candidate(plan.name, plan.family, plan.params, labelled=len(files.train))
    try:
        vectors, params = Vectors(), plan.params
        if entry(FAMILIES, plan.family).reads_vectors:
            # Some of the candidate's parameters choose its encoder; the others go to the family itself.
            own = {key: str(value) for key, value in params.items() if key in _OF_THE_ENCODER}
            params = {key: value for key, value in params.items() if key not in own}
            chosen = argparse.Namespace(cache=arguments.cache, encoder=own.get("encoder", arguments.encoder))
            precision = own.get("precision", "int8")
            vectors = Vectors(*embedder_for(plan.family, chosen, precision=precision))
        return train_and_measure(start, params, files, bundle, vectors, seed=arguments.seed)
    except (TrainingError, OSError, MemoryError) as error:
        return replace(start, problem=str(error) or type(error).__name__)
