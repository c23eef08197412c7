"""`python -m training distil`: a teacher's bundle labels a pool, a cheaper family learns from that."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from training.bundles.bundle import encoder_folder, read_manifest
from training.bundles.cascade import Serving, open_predictor
from training.cli.candidates import (
    Files,
    Vectors,
    compare_measured,
    none_of,
    row_of_teacher,
    train_and_measure,
)
from training.cli.card import tell_student
from training.cli.embedders import add_encoder_arguments, embedder_for
from training.cli.inputs import (
    check_columns,
    output_file,
    output_folder,
    parse_settings,
    read_dataset,
    read_texts,
)
from training.cli.spans import distil as spans
from training.encoders.vectors import CachedEmbedder, FolderStore
from training.preprocess.encoder import OnnxEncoder
from training.registry import FAMILIES
from training.reportcard.card import Candidate
from training.reportcard.measurement import Measured, measure
from training.runs.distillation import recovered, teach, unlabelled
from training.types import Dataset, Embedder, LabelSchema


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("distil", help="teach a cheap family what a strong bundle knows")
    parser.add_argument("teacher", type=Path, metavar="TEACHER", help="folder of the teacher's bundle")
    parser.add_argument("--pool", type=Path, required=True, metavar="F", help="texts without labels")
    parser.add_argument("--train", type=Path, metavar="F", help="labelled texts, learned from as well")
    parser.add_argument(
        "--tuning", type=Path, metavar="F", help="spans: labelled texts that tell whether the teacher helps"
    )
    parser.add_argument("--test", type=Path, required=True, metavar="F", help="labelled texts to measure on")
    parser.add_argument("--text", metavar="COL", help="column of the text in all files")
    parser.add_argument("--label", metavar="COL", help="column of the label or labels")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument("--family", required=True, choices=sorted(FAMILIES), help="of the student")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="its parameter")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=output_folder, required=True, metavar="DIR", help="folder of its bundle"
    )
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write the figures there")
    add_encoder_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Train the student with and without its teacher, and measure all three on the same documents."""
    if not isinstance(read_manifest(arguments.teacher).schema, LabelSchema):
        spans.run(arguments)
        return
    check_columns(arguments)
    teacher = open_predictor(arguments.teacher, encoder_root=arguments.cache / "encoders")
    columns = {"text": arguments.text, "label": arguments.label, "multi": arguments.multi}
    test = read_dataset(arguments.test, teacher.schema, **columns)
    labelled = none_of(test)
    if arguments.train:
        labelled = read_dataset(arguments.train, teacher.schema, **columns)
    texts = unlabelled(read_texts(arguments.pool, arguments.text), labelled, test)
    print(f"the teacher labels {len(texts)} texts", file=sys.stderr, flush=True)
    taught = teach(teacher, labelled, texts, embedder=_vectors_of(teacher, arguments))
    start = row_of_teacher(teacher.manifest)
    embedder, root = _vectors_of(teacher, arguments), arguments.cache / "encoders"
    rows = [measure(start, arguments.teacher, test, embedder=embedder, encoder_root=root)]
    with tempfile.TemporaryDirectory(prefix="winnow-distil-") as scratch:
        if len(labelled):
            rows.append(_student("alone", labelled, test, Path(scratch) / "alone", arguments))
        rows.append(_student("distilled", taught, test, arguments.out, arguments))
    card = compare_measured(rows, test, seed=arguments.seed)
    figures = [row.evaluation.macro_f1 if row.evaluation else None for row in card.candidates]
    share = recovered(figures[1], figures[2], figures[0]) if len(rows) == 3 else None
    tell_student(card, taught=len(texts), share=share, tested=len(test), arguments=arguments)


def _vectors_of(teacher: Serving, arguments: argparse.Namespace) -> Embedder | None:
    """Return the teacher's own encoder, whose vectors are kept, or None where it needs none."""
    folder = encoder_folder(arguments.teacher, teacher.manifest, arguments.cache / "encoders")
    if folder is None:
        return None
    return CachedEmbedder(OnnxEncoder(folder), FolderStore(arguments.cache / "vectors"))


def _student(
    name: str, dataset: Dataset, test: Dataset, bundle: Path, arguments: argparse.Namespace
) -> Measured:
    print(f"{arguments.family}:{name} ...", file=sys.stderr, flush=True)
    params = parse_settings(arguments.set)
    start = Candidate(f"{arguments.family}:{name}", arguments.family, params)
    vectors = Vectors(*embedder_for(arguments.family, arguments))
    files = Files(dataset, none_of(test), test)
    return train_and_measure(start, params, files, bundle, vectors, seed=arguments.seed)
