"""How many of the documents that are suspected of a wrong label have one: wrong labels are planted.

    python bench/figures/label_errors.py --set NAME FILE TEXT LABEL --documents 1000,5000 --json OUT

A file is CSV with a header, or TSV without one, whose columns are numbers from 1. Of the documents drawn, a
share gets another label, that of another document; the family is fitted on all and scores them out of fold,
as a run does. What is suspected and was
not planted counts as false, though a set may hold wrong labels of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.cli.embedders import add_encoder_arguments, embedder_for
from training.figures import calibration
from training.figures.label_errors import quality, suspects
from training.runs.pipeline import Folding, fit_model, out_of_fold, rows_of
from training.tasks import SINGLE
from training.types import Dataset, LabelSchema, LabelSpec, RunSpec

AMONG = 50  # of those suspected, the worst ones


def main() -> None:
    options = _arguments()
    found: list[dict[str, Any]] = []
    for name, path, text, label in options.set:
        rows = read(Path(path), text, label)
        for documents in map(int, options.documents.split(",")):
            draws = [one_draw(options, rows, documents, seed) for seed in range(options.seeds)]
            means = {key: round(float(np.mean([draw[key] for draw in draws])), 3) for key in draws[0]}
            found.append({"set": name, "family": options.family, "documents": documents, **means})
            print(json.dumps(found[-1]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def one_draw(
    options: argparse.Namespace, rows: list[tuple[str, str]], documents: int, seed: int
) -> dict[str, float]:
    """Plant wrong answers in a draw, and return the shares found and the seconds that it took."""
    rng = np.random.default_rng(seed)
    drawn = [rows[i] for i in rng.permutation(len(rows))[:documents]]
    answers = [answer for _text, answer in drawn]
    planted = np.zeros(len(drawn), bool)
    planted[rng.permutation(len(drawn))[: round(options.share * len(drawn))]] = True
    for i in np.flatnonzero(planted):
        others = [answer for _text, answer in drawn if answer != drawn[i][1]]
        answers[i] = others[rng.integers(len(others))]
    keys = sorted({*answers})
    schema = LabelSchema(SINGLE, tuple(LabelSpec(key, key) for key in keys))
    dataset = Dataset(
        schema, tuple(text for text, _answer in drawn), schema.encode([answer] for answer in answers)
    )
    embedder, _root = embedder_for(options.family, options)
    spec = RunSpec(options.family, seed=seed)
    if embedder is not None:
        embedder.embed(dataset.texts)  # a site has the vectors already
    fitted = fit_model(spec, dataset, rows_of(dataset, np.zeros(0, np.int64)), embedder)
    started = time.perf_counter()
    folded = out_of_fold(spec, dataset, fitted.model, embedder, Folding.ALL)
    seconds = time.perf_counter() - started
    if folded is None:
        raise SystemExit(f"The family {options.family} has no folds of {len(dataset)} documents.")
    calibrated = calibration.apply(schema.task.calibrate(folded.scores, folded.targets), folded.scores)
    wrong = planted[folded.rows]
    is_suspect = suspects(folded.targets, calibrated)
    worst = np.argsort(quality(folded.targets, calibrated), kind="stable")
    worst = worst[is_suspect[worst]][:AMONG]
    return {
        "suspected": float(is_suspect.sum()),
        "precision": float(wrong[is_suspect].mean()) if is_suspect.any() else 0.0,
        "recall": float(is_suspect[wrong].mean()),
        f"precision_of_{AMONG}": float(wrong[worst].mean()) if len(worst) else 0.0,
        "fit_seconds": fitted.seconds,
        "fold_seconds": seconds,
    }


def read(path: Path, text: str, label: str) -> list[tuple[str, str]]:
    """Return the texts of a file with their labels."""
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".tsv":
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            return [(row[int(text) - 1], row[int(label) - 1]) for row in rows]
        return [(row[text], row[label]) for row in csv.DictReader(file)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    names = ("NAME", "FILE", "TEXT", "LABEL")
    parser.add_argument("--set", nargs=4, action="append", required=True, metavar=names)
    parser.add_argument("--documents", default="1000", help="how many are drawn, with commas between")
    parser.add_argument("--family", default="embedding")
    parser.add_argument("--share", type=float, default=0.05, help="of documents with a wrong label")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    add_encoder_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
