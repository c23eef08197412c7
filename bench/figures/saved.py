"""How right it is what shadow models say of the labels that choosing has saved.

    python bench/figures/saved.py --train train.csv --test test.csv --text text --label category --json OUT

Each seed is a project: a strategy chooses batches with a share of random documents, and 300 documents of the
test file are its holdout. What is true is the mean over all seeds, measured on the whole test file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.cli.embedders import add_encoder_arguments, embedder_for
from training.cli.inputs import read_datasets
from training.figures.evaluate import macro_f1
from training.registry import CHOOSER
from training.runs.pipeline import fit_model, rows_of
from training.runs.shadow import SIZES, even_draw, shadow
from training.selection import PoolView
from training.types import Dataset, Embedder, RunSpec

HOLDOUT = 300
BATCH = 50
RANDOM_SHARE = 0.1


def main() -> None:
    options = _arguments()
    train, test = read_datasets(
        options.train, [options.test], text=options.text, label=options.label, multi=None
    )
    embedder, _root = embedder_for(options.family, options)
    spec, n, rows = RunSpec(options.family), options.drawn, []
    for seed in range(options.seeds):
        rng = np.random.default_rng(seed)
        order, is_random = labelled(spec, train, embedder, options.strategy, n, rng)
        drawn = even_draw(is_random, len(train), rng)[:n]
        held = np.sort(rng.permutation(len(test))[:HOLDOUT])
        started = time.process_time()
        found = shadow(
            spec,
            rows_of(train, order),
            drawn,
            tuning=rows_of(test, held[:0]),
            reporting=rows_of(test, held),
            embedder=embedder,
        )
        seconds = time.process_time() - started

        def reached(chosen: np.ndarray) -> float:
            learned = rows_of(train, chosen)
            model = fit_model(spec, learned, rows_of(learned, chosen[:0]), embedder).model
            said = test.schema.task.decide(model.predict_proba(test.texts), np.zeros(len(test.schema)))
            return macro_f1(test.targets, said) or 0.0

        sizes = [size for share in SIZES if (size := round(share * n)) <= len(order)]
        rows.append(
            {
                "needed": found.needed,
                "fewest": found.fewest,
                "most": found.most,
                "seconds": seconds,
                "labels": len(order),
                "even": reached(rng.permutation(len(train))[:n]),
                "drawn": reached(order[drawn]),
                "curve": {size: reached(order[:size]) for size in sizes},
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    figures = summary(rows, n)
    print(json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures | {"rows": rows}, indent=1), "utf-8")


def labelled(
    spec: RunSpec,
    train: Dataset,
    embedder: Embedder | None,
    strategy: str,
    drawn: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in the order of their labels and which were drawn, until enough were drawn."""
    choose, targets = CHOOSER.load(), train.targets
    order, is_random = np.zeros(0, np.int64), np.zeros(0, bool)
    vectors = None if embedder is None else embedder.embed(train.texts)
    while is_random.sum() < drawn:
        rest = np.setdiff1d(np.arange(len(train)), order)
        scores = None
        if len(order):
            model = fit_model(spec, rows_of(train, order), rows_of(train, order[:0]), embedder).model
            scores = model.predict_proba(tuple(train.texts[row] for row in rest))
        counts = targets[order].sum(axis=0).astype(np.int64)
        view = PoolView(len(rest), scores, None if vectors is None else vectors[rest], None, counts)
        start = "random" if vectors is None else "kmeans"
        chosen = choose(strategy if len(order) else start, view, BATCH, rng, random_share=RANDOM_SHARE)
        order = np.append(order, rest[chosen.indices])
        is_random = np.append(is_random, np.isin(chosen.indices, chosen.drawn))
    return order, is_random


def summary(rows: list[dict[str, Any]], n: int) -> dict[str, Any]:
    """Compare what each seed was told with what all of them show together."""
    goal = float(np.mean([row["even"] for row in rows]))
    sizes = sorted(set.intersection(*({int(size) for size in row["curve"]} for row in rows)))
    curve = [float(np.mean([row["curve"][size] for row in rows])) for size in sizes]
    truth = float(np.exp(np.interp(goal, curve, np.log(sizes))))
    inside = [
        (row["fewest"] is not None and row["fewest"] <= truth)
        and (row["most"] is None or truth <= row["most"])
        for row in rows
    ]
    told = [row["needed"] for row in rows if row["needed"] is not None]
    return {
        "drawn": n,
        "seeds": len(rows),
        "even_f1": goal,
        "drawn_f1": float(np.mean([row["drawn"] for row in rows])),
        "curve": dict(zip(sizes, curve, strict=True)),
        "needed_truth": truth,
        "needed_told": float(np.mean(told)),
        "not_reached": len(rows) - len(told),
        "coverage": float(np.mean(inside)),
        "surely_saved": float(np.mean([row["most"] is not None and row["most"] < n for row in rows])),
        "seconds": float(np.median([row["seconds"] for row in rows])),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--train", type=Path, metavar="F", required=True, help="labelled texts, one label each"
    )
    parser.add_argument("--test", type=Path, metavar="F", required=True)
    parser.add_argument("--text", default="text", metavar="COL")
    parser.add_argument("--label", default="category", metavar="COL")
    parser.add_argument("--family", default="tfidf")
    parser.add_argument("--strategy", default="margin")
    parser.add_argument("--drawn", type=int, default=100, help="documents that are drawn at random")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--json", type=Path)
    add_encoder_arguments(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
