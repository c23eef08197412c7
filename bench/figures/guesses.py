"""What a model that knows only label names is right about, and from how many labels on its scores hold.

    python bench/figures/guesses.py --set NAME FILE TEXT LABEL SEPARATOR [--set …] --seeds 20 --json OUT

A file is CSV with a header, or TSV without one, whose columns are numbers from 1. An empty separator says
that a text has one label. For each draw of labels the texts of all sets are read: those of the set's own that
have one of the labels, and, as strangers, those of the others and strings that mean nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import string
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.bundles.familiar import LEAST_APART, LEAST_SIMILAR
from training.cli.embedders import add_encoder_arguments, open_embedder
from training.encoders.names import name_vectors
from training.families.zero_shot.model import ZeroShotModel
from training.figures import calibration
from training.figures.coverage import FOREIGN, open_tokenizer, pieces_per_word
from training.preprocess.encoder import TOKENIZER_FILE
from training.tasks import MULTI, SINGLE
from training.types import Dataset, Embedder, FloatArray, LabelSchema, LabelSpec

SIMILAR = (0.0, 0.25, 0.3, LEAST_SIMILAR, 0.4)
APART = (0.0, LEAST_APART, 0.05)
DOCUMENTS = (5, 10, 20, 30, 50, 100, 200, 500)
SAID = 0.3  # a score from which a label of several is looked at


@dataclass(frozen=True)
class Texts:
    name: str
    texts: tuple[str, ...]
    answers: tuple[frozenset[str], ...]
    single: bool
    vectors: FloatArray  # (texts, dimension)
    readable: FloatArray  # (texts,): whether the encoder keeps its words whole

    @property
    def labels(self) -> list[str]:
        return sorted(frozenset().union(*self.answers))

    def schema(self, labels: list[str]) -> LabelSchema:
        return LabelSchema(SINGLE if self.single else MULTI, tuple(LabelSpec(one, one) for one in labels))


def main() -> None:
    options = _arguments()
    embedder, root = open_embedder(options)
    tokenizer = open_tokenizer(root / embedder.fingerprint / TOKENIZER_FILE)

    def whole(name: str, rows: list[tuple[str, frozenset[str]]], single: bool) -> Texts:
        texts = tuple(text for text, _answer in rows)
        readable = np.array([pieces_per_word(tokenizer, [text]) <= FOREIGN for text in texts], np.float32)
        answers = tuple(answer for _text, answer in rows)
        return Texts(name, texts, answers, single, embedder.embed(texts), readable)

    sets = [
        whole(name, _read(Path(file), text, label, separator), not separator)
        for name, file, text, label, separator in options.set
    ]
    nonsense = whole("nonsense", [(text, frozenset()) for text in _nonsense(240)], True)
    report: dict[str, Any] = {"guesses": {}, "calibration": {}}
    for one in sets:
        strangers = [other for other in (*sets, nonsense) if other is not one]
        report["guesses"][one.name] = _guesses(one, strangers, embedder, options.seeds)
        report["calibration"][one.name] = _calibrated(one, embedder, options.seeds)
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def _guesses(own: Texts, strangers: list[Texts], embedder: Embedder, seeds: int) -> list[dict[str, Any]]:
    """Return for each pair of thresholds how much is said, how much of that is right, and of strangers."""
    found: dict[tuple[float, float], list[list[float]]] = {}
    for seed in range(seeds):
        rng, every = np.random.default_rng(seed), own.labels
        count = len(every) if len(every) < 6 else int(rng.integers(5, len(every) + 1))
        labels = [every[i] for i in rng.choice(len(every), count, replace=False)]
        names = name_vectors(own.schema(labels), embedder)
        about = np.array([bool(answer & set(labels)) for answer in own.answers])
        near = own.vectors @ names.T
        best = near.argmax(axis=1)
        right = np.array([labels[j] in answer for j, answer in zip(best, own.answers, strict=True)])
        for similar in SIMILAR:
            for apart in APART:
                said = _said(own, names, similar, apart)
                kept = said & about
                row = [float(kept.sum() / max(1, about.sum()))]
                row.append(float(right[kept].mean()) if kept.any() else float("nan"))
                row += [float(_said(other, names, similar, apart).mean()) for other in strangers]
                found.setdefault((similar, apart), []).append(row)
    keys = ["said", "right", *(f"said_of_{other.name}" for other in strangers)]
    return [
        {"similar": similar, "apart": apart}
        | {key: _mean(column) for key, column in zip(keys, zip(*rows, strict=True), strict=True)}
        for (similar, apart), rows in found.items()
    ]


def _mean(values: tuple[float, ...]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return round(float(np.mean(known)), 3) if known else None


def _said(texts: Texts, names: FloatArray, similar: float, apart: float) -> Any:
    near = np.sort(texts.vectors @ names.T, axis=1)
    return (near[:, -1] >= similar) & (near[:, -1] - near[:, -2] >= apart) & (texts.readable > 0)


def _calibrated(own: Texts, embedder: Embedder, seeds: int) -> dict[int, dict[str, float]]:
    """Return by how much the mean confidence exceeds the share that is right, after so many documents."""
    schema = own.schema(own.labels)
    targets = schema.encode(own.answers)
    empty = Dataset(schema, (), targets[:0])
    raw = ZeroShotModel(embedder=embedder).fit(empty, valid=empty).predict_proba(own.texts)
    found: dict[int, list[float]] = {0: [_excess(schema, raw, targets)]}
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(raw))
        for documents in DOCUMENTS:
            learn, rest = order[:documents], order[documents:]
            learned = schema.task.calibrate(raw[learn], targets[learn])
            found.setdefault(documents, []).append(
                _excess(schema, calibration.apply(learned, raw[rest]), targets[rest])
            )
    return {
        documents: {"mean": round(float(np.mean(gaps)), 3), "p90": round(float(np.quantile(gaps, 0.9)), 3)}
        for documents, gaps in found.items()
    }


def _excess(schema: LabelSchema, scores: FloatArray, targets: FloatArray) -> float:
    told, right = schema.task.judged(scores, targets)
    if not schema.task.exclusive:
        told, right = told[told >= SAID], right[told >= SAID]
    return float(told.mean() - right.mean()) if len(told) else 0.0


def _nonsense(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    letters = list(string.ascii_lowercase)
    texts = ["xxxxx", "asdf", "qwerty", "12345", "!!!", "...", "test", "N/A", "blah blah", "abc"]
    while len(texts) < count:
        words = ("".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(rng.integers(1, 11)))
        texts.append(" ".join(words))
    return texts


def _read(path: Path, text: str, label: str, separator: str) -> list[tuple[str, frozenset[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".tsv":
            table = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = [(row[int(text) - 1], row[int(label) - 1]) for row in table]
        else:
            rows = [(row[text], row[label]) for row in csv.DictReader(file)]
    parts = ((body, said.split(separator) if separator else [said]) for body, said in rows)
    return [(body, frozenset(one for one in said if one)) for body, said in parts]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    columns = ("NAME", "FILE", "TEXT", "LABEL", "SEPARATOR")
    parser.add_argument("--set", nargs=5, action="append", required=True, metavar=columns)
    parser.add_argument("--seeds", type=int, default=20, help="draws of labels, and of documents")
    parser.add_argument("--json", type=Path)
    add_encoder_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
