"""How long a family takes to learn many short texts.

    python bench/learning/fitting.py --train F --text COL --label COL [--family fasttext] --json OUT

Texts are drawn from the file with replacement until there are as many as wanted, and each loses a tenth of
its words, so that few are equal. Only the fit is timed, on the clock and on the processor.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import numpy as np

from training.tasks import SINGLE

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.runs.pipeline import fit_model, rows_of
from training.types import Dataset, LabelSchema, LabelSpec, RunSpec

LOST = 0.1  # share of words


def main() -> None:
    options = _arguments()
    dataset = _drawn(options.train, options.text, options.label, options.rows)
    processor = time.process_time()
    fitted = fit_model(RunSpec(options.family), dataset, rows_of(dataset, np.zeros(0, np.int64)))
    report = {
        "family": options.family,
        "texts": len(dataset),
        "labels": len(dataset.schema),
        "words_a_text": round(float(np.mean([len(text.split()) for text in dataset.texts])), 1),
        "seconds": round(fitted.seconds, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
    }
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="a CSV file of labelled texts")
    parser.add_argument("--text", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--family", default="fasttext", help="one that needs no encoder")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _drawn(path: Path, text: str, label: str, rows: int) -> Dataset:
    with path.open(encoding="utf-8", newline="") as file:
        known = [(row[text].split(), row[label]) for row in csv.DictReader(file)]
    rng = np.random.default_rng(0)
    drawn = [known[i] for i in rng.integers(len(known), size=rows)]
    texts = tuple(" ".join(word for word in words if rng.random() >= LOST) for words, _label in drawn)
    keys = sorted({answer for _words, answer in known})
    schema = LabelSchema(SINGLE, tuple(LabelSpec(key, key) for key in keys))
    return Dataset(schema, texts, schema.encode([answer] for _words, answer in drawn))


if __name__ == "__main__":
    main()
