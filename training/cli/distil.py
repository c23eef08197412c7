"""`python -m training distil`: a teacher's bundle labels a pool, a cheaper family learns from that."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from training.bundles.bundle import encoder_folder
from training.bundles.cascade import Serving, open_predictor
from training.cli.candidates import Files, Vectors, none_of, train_and_measure
from training.cli.card import show
from training.cli.embedders import add_encoder_arguments, embedder_for
from training.cli.inputs import parse_settings, read_answers, read_texts
from training.encoders.vectors import CachedEmbedder, FolderStore
from training.preprocess.encoder import OnnxEncoder
from training.registry import FAMILIES
from training.reportcard.card import Candidate, Comparison, Constraints
from training.reportcard.measurement import Measured, machine, measure
from training.reportcard.recommend import recommend
from training.runs.distillation import recovered, teach, unlabelled
from training.types import Dataset, Embedder


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("distil", help="teach a cheap family what a strong bundle knows")
    parser.add_argument("teacher", type=Path, metavar="TEACHER", help="folder of the teacher's bundle")
    parser.add_argument("--pool", type=Path, required=True, metavar="F", help="texts without labels")
    parser.add_argument("--train", type=Path, metavar="F", help="labelled texts, learned from as well")
    parser.add_argument("--test", type=Path, required=True, metavar="F", help="labelled texts to measure on")
    parser.add_argument("--text", required=True, metavar="COL", help="column of the text in all files")
    parser.add_argument("--label", required=True, metavar="COL", help="column of the label or labels")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument("--family", required=True, choices=sorted(FAMILIES), help="of the student")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="its parameter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of its bundle")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there")
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train the student with and without its teacher, and measure all three on the same documents."""
    teacher = open_predictor(arguments.teacher, encoder_root=arguments.cache / "encoders")
    test = _read(arguments.test, teacher, arguments)
    labelled = _read(arguments.train, teacher, arguments) if arguments.train else none_of(test)
    texts = unlabelled(read_texts(arguments.pool, arguments.text), labelled, test)
    print(f"the teacher labels {len(texts)} texts", file=sys.stderr, flush=True)
    taught = teach(teacher, labelled, texts, embedder=_vectors_of(teacher, arguments))
    rows = [_measured_teacher(teacher, test, arguments)]
    with tempfile.TemporaryDirectory(prefix="winnow-distil-") as scratch:
        if len(labelled):
            rows.append(_student("alone", labelled, test, Path(scratch) / "alone", arguments))
        rows.append(_student("distilled", taught, test, arguments.out, arguments))
    _report(rows, test, len(texts), arguments)


def _read(path: Path, teacher: Serving, arguments: argparse.Namespace) -> Dataset:
    """Return a file's documents under the teacher's labels; raises `TrainingError` for any other label."""
    texts, answers = read_answers(path, arguments.text, arguments.label, arguments.multi)
    return Dataset(teacher.schema, tuple(texts), teacher.schema.encode(answers))


def _vectors_of(teacher: Serving, arguments: argparse.Namespace) -> Embedder | None:
    """Return the teacher's own encoder, whose vectors are kept, or None where it needs none."""
    folder = encoder_folder(arguments.teacher, teacher.manifest, arguments.cache / "encoders")
    if folder is None:
        return None
    return CachedEmbedder(OnnxEncoder(folder), FolderStore(arguments.cache / "vectors"))


def _measured_teacher(teacher: Serving, test: Dataset, arguments: argparse.Namespace) -> Measured:
    labelled = int(teacher.manifest.figures.get("labelled") or 0)
    start = Candidate("teacher", teacher.manifest.family, labelled=labelled)
    start = replace(start, train_seconds=float(teacher.manifest.figures.get("fit_seconds") or 0.0))
    root = arguments.cache / "encoders"
    return measure(
        start, arguments.teacher, test, embedder=_vectors_of(teacher, arguments), encoder_root=root
    )


def _student(
    name: str, dataset: Dataset, test: Dataset, bundle: Path, arguments: argparse.Namespace
) -> Measured:
    print(f"{arguments.family}:{name} ...", file=sys.stderr, flush=True)
    params = parse_settings(arguments.set)
    start = Candidate(f"{arguments.family}:{name}", arguments.family, params)
    vectors = Vectors(*embedder_for(arguments.family, arguments))
    files = Files(dataset, none_of(test), test)
    return train_and_measure(start, params, files, bundle, vectors, seed=arguments.seed)


def _report(rows: list[Measured], test: Dataset, taught: int, arguments: argparse.Namespace) -> None:
    candidates = tuple(row.candidate for row in rows)
    decisions = {row.candidate.name: row.decisions for row in rows}
    chosen = recommend(candidates, decisions, test.targets, Constraints(), seed=arguments.seed)
    card = Comparison(len(test), len(test.schema), machine(), Constraints(), candidates, chosen)
    figures = [row.evaluation.macro_f1 if row.evaluation else None for row in candidates]
    share = recovered(figures[1], figures[2], figures[0]) if len(rows) == 3 else None
    content = card.to_json() | {"taught": taught, "recovered": share}
    if arguments.json:
        arguments.json.write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")
    print(show(card))
    if share is not None:
        print(f"The student recovers {share:.0%} of the gap to its teacher, from {taught} texts.")
