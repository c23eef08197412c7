"""`python -m training compare --task span` or `joint`: families side by side, by label as well."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from training.cli.candidates import ComparisonPlan, card_of
from training.cli.card import show
from training.cli.spans.candidates import SpanFiles, compared, train_and_measure_spans
from training.cli.spans.inputs import limited, read_span_datasets
from training.reportcard.card import Candidate
from training.reportcard.span_measurement import MeasuredSpans
from training.tagging.ways import usual_way
from training.tasks.joint import schema_of
from training.types import TrainingError


def run(arguments: argparse.Namespace, plans: Sequence[ComparisonPlan]) -> None:
    """Train and measure every candidate, then print the card, and entity F1 of each label below it."""
    others = [arguments.test, *([arguments.tuning] if arguments.tuning else [])]
    paths = [arguments.train, *others]
    train, test, *rest = read_span_datasets(paths, arguments.text or "text", arguments.task)
    train = limited(train, arguments.labels, arguments.seed)
    files = SpanFiles(replace(train, way=usual_way(train)), rest[0] if rest else train.rows([]), test)
    with tempfile.TemporaryDirectory(prefix="winnow-compare-") as scratch:
        folder = arguments.bundles or Path(scratch)
        rows = [_row(plan, files, folder / plan.name.replace(":", "-"), arguments) for plan in plans]
    candidates = [row.candidate if isinstance(row, MeasuredSpans) else row for row in rows]
    said = compared([row for row in rows if isinstance(row, MeasuredSpans)], test)
    card = card_of(candidates, said, len(schema_of(test)), arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(card.to_json(), ensure_ascii=False, indent=1), "utf-8")
    print("\n".join([show(card), "", *_by_label(card.candidates)]))


def _row(
    plan: ComparisonPlan, files: SpanFiles, bundle: Path, arguments: argparse.Namespace
) -> Candidate | MeasuredSpans:
    """Train and measure one candidate, or say what stands in the way."""
    print(f"{plan.name} ...", file=sys.stderr, flush=True)
    start = Candidate(plan.name, plan.family, plan.params, labelled=len(files.train))
    try:
        return train_and_measure_spans(start, files, bundle, arguments)
    except (TrainingError, OSError, MemoryError) as error:
        return replace(start, problem=str(error) or type(error).__name__)


def _by_label(candidates: Sequence[Candidate]) -> list[str]:
    """Return a line for each label: how many spans or texts have it, and its F1 by each candidate."""
    found = [(one.name, one.evaluation.per_class) for one in candidates if one.evaluation]
    if not found:
        return []
    rows = [("label", "support", *(name for name, _labels in found))]
    for own in zip(*(labels for _name, labels in found), strict=True):
        figures = ("-" if one.f1 is None else f"{one.f1:.3f}" for one in own)
        rows.append((own[0].key, str(own[0].support), *figures))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
