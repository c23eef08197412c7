"""How right projections and shares are, and how near to the diagonal mistakes come.

    python bench/figures/outlook.py --train train.csv --test test.csv --text text --label category --json OUT

Projections are of the curves in docs/benchmarks.md. Without files shares are of simulated collections, and
there is no confusion matrix of a model.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.cli.embedders import add_encoder_arguments, embedder_for
from training.cli.inputs import read_datasets
from training.figures.confusion import near_diagonal, order_labels
from training.figures.projection import MeasuredPoint, NoProjection, project
from training.figures.shares import label_shares
from training.runs.pipeline import fit_model, rows_of
from training.types import Dataset, RunSpec

ROOT = Path(__file__).resolve().parent.parent.parent
FIRST = 4  # points of a curve that are known
WIDE = 0.03  # of the holdout, to both sides
LEARNED = 1_000  # labels of the model whose confusion is ordered
SIMULATED = ((2, 0.7), (5, 0.7), (28, 0.7), (77, 0.7), (77, 0.9))  # labels, accuracy
HOLDOUT = 300
COLLECTION = 20_000


def main() -> None:
    options = _arguments()
    rng = np.random.default_rng(options.seed)
    figures: dict[str, Any] = projections()
    sets: list[dict[str, Any]] = []
    for labels, accuracy in SIMULATED:
        found = coverage(*collection(labels, accuracy, rng), options, rng)
        sets.append({"set": f"{labels} labels, {accuracy} right", **found})
    if options.train and options.test:
        true, said = scored(options)
        sets.append({"set": options.test.name, **coverage(true, said, options, rng)})
        counts = (true.T @ said).astype(np.int64)
        figures["accuracy"] = float(np.trace(counts) / counts.sum())
        figures["confusion_within_3"] = near_diagonal(counts, order_labels(counts), 3)
        figures["confusion_within_3_schema_order"] = near_diagonal(counts, np.arange(len(counts)), 3)
    figures |= {
        "shares_coverage": [min(one["coverage"] for one in sets), max(one["coverage"] for one in sets)],
        "shares_width_mean": float(np.mean([one["width"] for one in sets])),
        "shares_width_max": max(one["width_max"] for one in sets),
        "order_150_ms": order_ms(150, rng),
    }
    for one in sets:
        print(json.dumps(one))
    print(json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures | {"shares": sets}, indent=1), "utf-8")


def projections() -> dict[str, Any]:
    """Return the mean absolute errors at the last point of each published curve, three ways."""
    text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").partition("## Labels saved")[2]
    rows = [re.findall(r"[\d.,]+", row) for row in re.findall(r"^\| [\d,]+ \|.*$", text, re.MULTILINE)]
    rows = rows[: next(i for i, row in enumerate(rows) if row[0] == "1,000") + 1]
    labels = [int(row[0].replace(",", "")) for row in rows]
    errors: dict[str, list[float]] = {"projection_error": [], "no_change": [], "power_law": []}
    for column in range(1, len(rows[0])):
        values = [float(row[column]) for row in rows]
        known = zip(labels[:FIRST], values[:FIRST], strict=True)
        found = project([MeasuredPoint(n, y, y - WIDE, y + WIDE) for n, y in known])
        assert not isinstance(found, NoProjection)
        errors["projection_error"].append(found.at(labels[-1]).value - values[-1])
        errors["no_change"].append(values[FIRST - 1] - values[-1])
        errors["power_law"].append(power_law(labels[:FIRST], values[:FIRST], labels[-1]) - values[-1])
    names = {"no_change": "projection_error_no_change", "power_law": "projection_error_power_law"}
    means = {names.get(name, name): float(np.abs(found).mean()) for name, found in errors.items()}
    return means | {"projection_errors": [round(one, 3) for one in errors["projection_error"]]}


def power_law(labels: list[int], values: list[float], wanted: int) -> float:
    """Return a - b n^-c at the wanted labels, of the least squares, a at most 1."""
    n, y = np.array(labels, float), np.array(values)
    best = (np.inf, 0.0)
    for power in np.linspace(0.02, 2, 400):
        shape = np.stack([np.ones(len(n)), -(n**-power)], axis=1)
        (top, scale), *_ = np.linalg.lstsq(shape, y, rcond=None)
        if top > 1:
            top = 1.0
            scale = ((1 - y) * n**-power).sum() / (n ** (-2 * power)).sum()
        error = float(((top - scale * n**-power - y) ** 2).sum())
        best = min(best, (error, float(top - scale * wanted**-power)))
    return best[1]


def collection(labels: int, accuracy: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return what texts are and what a model says of them, whose mistakes favour some labels."""
    wrong = rng.dirichlet(np.full(labels, 0.3), labels)
    given = (accuracy * np.eye(labels) + (1 - accuracy) * wrong).cumsum(axis=1)
    true = rng.choice(labels, COLLECTION, p=rng.dirichlet(np.ones(labels)))
    said = (rng.random(COLLECTION)[:, None] > given[true]).sum(axis=1).clip(0, labels - 1)
    return np.eye(labels)[true], np.eye(labels)[said]


def coverage(
    true: np.ndarray, said: np.ndarray, options: argparse.Namespace, rng: np.random.Generator
) -> dict[str, float]:
    """Return how often shares by a random holdout hold those of all texts, (texts, labels) both."""
    inside, widths, off = [], [], []
    truth = true.mean(axis=0)
    for _ in range(options.draws):
        order = rng.permutation(len(true))
        held, pool = order[:HOLDOUT], order[HOLDOUT:]
        found = label_shares(true[held], said[held], said[pool])
        inside.append(((found.low <= truth) & (truth <= found.high)).mean())
        alone = found.alone_high - found.alone_low
        widths.append((found.high - found.low) / alone)
        off.append(np.abs(said.mean(axis=0) - truth).max())
    return {
        "coverage": float(np.mean(inside)),
        "width": float(np.mean(widths)),
        "width_max": float(np.max(widths)),
        "naive_off_by": float(np.mean(off)),
    }


def scored(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the answers of the test file and what a model of few labels says of it, (texts, labels) both."""
    train, test = read_datasets(
        options.train, [options.test], text=options.text, label=options.label, multi=None
    )
    rows = np.random.default_rng(options.seed).permutation(len(train))[:LEARNED]
    learned = Dataset(train.schema, tuple(train.texts[i] for i in rows), train.targets[rows])
    embedder, _root = embedder_for(options.family, options)
    spec = RunSpec(options.family, seed=options.seed)
    fitted = fit_model(spec, learned, rows_of(learned, np.zeros(0, np.int64)), embedder)
    scores = fitted.model.predict_proba(test.texts)
    decided = test.schema.task.decide(scores, np.zeros(len(test.schema), np.float32))
    return test.targets.astype(float), decided.astype(float)


def order_ms(labels: int, rng: np.random.Generator) -> float:
    """Return the processor time to order so many labels, the median of nine."""
    counts = rng.poisson(rng.gamma(0.05, 1, (labels, labels))) + np.diag(rng.integers(5, 40, labels))
    taken = []
    for _ in range(9):
        started = time.process_time()
        order_labels(counts)
        taken.append(time.process_time() - started)
    return float(np.median(taken)) * 1_000


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--train", type=Path, metavar="F", help="labelled texts, one label each")
    parser.add_argument("--test", type=Path, metavar="F")
    parser.add_argument("--text", default="text", metavar="COL")
    parser.add_argument("--label", default="category", metavar="COL")
    parser.add_argument("--family", default="embedding")
    parser.add_argument("--draws", type=int, default=200, help="of a holdout, of each collection")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    add_encoder_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
