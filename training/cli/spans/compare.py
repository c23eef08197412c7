"""`python -m training compare --task span` or `joint`: families side by side, by label as well."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.bundles.span_predictor import SpanPredictor
from training.cli.candidates import ComparisonPlan, card_of
from training.cli.card import show
from training.cli.spans.bench import PIECES, seconds_of_pieces
from training.cli.spans.encoders import word_encoder_for
from training.cli.spans.inputs import limited, read_span_datasets
from training.preprocess.words import WAYS
from training.reportcard.card import Candidate
from training.reportcard.recommend import FoundBoth, FoundSpans
from training.reportcard.span_measurement import MeasuredSpans, measure_spans
from training.runs.span_pipeline import train_spans
from training.spans import SpanDataset
from training.tagging.ways import usual_way
from training.tasks.joint import schema_of
from training.types import RunSpec, TrainingError


@dataclass(frozen=True, slots=True)
class SpanFiles:
    """The texts that every candidate learns from, is tuned on and is measured on."""

    train: SpanDataset
    tuning: SpanDataset
    test: SpanDataset


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
    card = card_of(candidates, _compared(rows, test), len(schema_of(test)), arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(card.to_json(), ensure_ascii=False, indent=1), "utf-8")
    print("\n".join([show(card), "", *_by_label(card.candidates)]))


def _compared(rows: Sequence[Candidate | MeasuredSpans], test: SpanDataset) -> FoundSpans | FoundBoth:
    """Return what the candidates found, by which they are compared: in labels of whole texts as well."""
    measured = [row for row in rows if isinstance(row, MeasuredSpans)]
    if test.labels is None:
        return FoundSpans(test.spans, {row.candidate.name: row.found for row in measured})
    said = {row.candidate.name: (row.found, row.decisions) for row in measured if row.decisions is not None}
    return FoundBoth(test, said)


def _row(
    plan: ComparisonPlan, files: SpanFiles, bundle: Path, arguments: argparse.Namespace
) -> Candidate | MeasuredSpans:
    """Train and measure one candidate, or say what stands in the way."""
    print(f"{plan.name} ...", file=sys.stderr, flush=True)
    start = Candidate(plan.name, plan.family, plan.params, labelled=len(files.train))
    try:
        encoder, root = word_encoder_for(plan.family, arguments)
        if encoder is not None:
            # Vectors are kept for all candidates, so no single one is charged for them.
            for part in (files.train, files.tuning, files.test):
                encoder.vectors(part.texts, [WAYS[files.train.way](text) for text in part.texts])
        began = time.perf_counter()
        report = train_spans(
            RunSpec(plan.family, plan.params, seed=arguments.seed),
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
        notes = [report.parity.note, f"{PIECES} word pieces take {least:.1f} ms at least"]
        start = replace(start, notes=tuple(filter(None, notes)))
        return measure_spans(start, bundle, files.test, encoder=encoder, seed=arguments.seed)
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
