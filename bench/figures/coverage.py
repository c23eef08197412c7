"""How often the true figure lies in its 95 % interval, by simulation.

    python bench/figures/coverage.py --worlds 200 --json OUT

A world has labels of its own: how common they are, how well each is found, and which are taken for which.
Its documents are drawn by chance; the truth is what infinitely many of them would give. Support is the mean
number of documents a label.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.figures import intervals
from training.figures.evaluate import evaluate, paired_bootstrap, paired_classes
from training.figures.evidence import FEWEST
from training.figures.thresholds import Decisions
from training.tasks import MULTI, SINGLE
from training.types import DocumentTask, LabelSchema, LabelSpec

OF_DOCUMENTS = {task.key: task for task in (SINGLE, MULTI)}
LABELS = (3, 10, 30, 77)
SUPPORTS = (1, 2, 4, 10, 30)
QUALITIES = (0.5, 0.8, 0.95)
SAME = 0.7


@dataclass(frozen=True, slots=True)
class Truth:
    """What a model does: `common` (labels,), and the chance (labels, labels) that label i is given as j.

    Where a document can have several labels, row i is what a document of label i adds to the chance of each.
    """

    common: np.ndarray
    given: np.ndarray

    def f1(self, parts: int = 1) -> np.ndarray:
        """Return the F1 (labels,) of infinitely many documents, each put together of so many `parts`."""
        decided, hits = self.common @ self.given, self.common * np.diag(self.given)
        neither = (1 - self.common - decided + hits) ** parts
        has, said = 1 - (1 - self.common) ** parts, 1 - (1 - decided) ** parts
        return np.asarray(2 * (has + said - 1 + neither) / (has + said))


def world(rng: np.random.Generator, labels: int, quality: float, *, skewed: bool) -> Truth:
    """Draw a world; `quality` is the mean recall."""
    common = 1 / np.arange(1, labels + 1) ** (0.7 if skewed else 0.0)
    recall = rng.beta(8 * quality, 8 * (1 - quality), labels)
    others = rng.dirichlet(np.full(labels, 0.3), labels) * (1 - np.eye(labels)) + 1e-12
    np.fill_diagonal(others, 0)
    given = others / others.sum(axis=1, keepdims=True) * (1 - recall)[:, None] + np.diag(recall)
    return Truth(common / common.sum(), given)


def draw(
    rng: np.random.Generator, truth: Truth, other: Truth, documents: int, task: DocumentTask
) -> tuple[Decisions, Decisions, Decisions]:
    """Return which labels documents have, and which two models give them, (documents, labels) each.

    The second model says the same as the first or, in so many of ten cases as `SAME` tells, what `other`
    would. With several labels a document is two of one label that were put together.
    """
    drawn = []
    rows = np.eye(len(truth.common), dtype=bool)
    for _ in range(_parts(task)):
        has = rng.choice(len(truth.common), documents, p=truth.common)
        said, own = (
            np.minimum(
                (rng.random(documents)[:, None] > one.given[has].cumsum(axis=1)).sum(axis=1), len(rows) - 1
            )
            for one in (truth, other)
        )
        again = np.where(rng.random(documents) < SAME, said, own)
        drawn.append([rows[has], rows[said], rows[again]])
    true, first, second = (np.logical_or.reduce(parts) for parts in zip(*drawn, strict=True))
    return true, first, second


def cell(task: DocumentTask, labels: int, support: int, quality: float, worlds: range) -> dict[str, float]:
    """Return the share of worlds whose truth is inside, for macro-F1, a label's F1, and their differences."""
    inside: dict[str, list[float]] = defaultdict(list)
    documents = labels * support
    schema = LabelSchema(task, tuple(LabelSpec(str(j), str(j)) for j in range(labels)))
    for seed in worlds:
        rng = np.random.default_rng([seed, labels, support, int(100 * quality), int(task.exclusive)])
        truth = world(rng, labels, quality, skewed=bool(seed % 2))
        other = Truth(truth.common, world(rng, labels, quality, skewed=False).given)
        f1 = truth.f1(_parts(task))
        true, given, again = draw(rng, truth, other, documents, task)
        targets = true.astype(np.float32)
        scores = given.astype(np.float32)
        cuts = np.full(labels, 0.5, np.float32)
        found = evaluate(schema, targets, scores, cuts, rng)
        has = true.any(axis=0)
        assert found.macro_f1_low is not None
        assert found.macro_f1_high is not None
        inside["macro"].append(found.macro_f1_low <= f1[has].mean() <= found.macro_f1_high)
        inside["width"].append(found.macro_f1_high - found.macro_f1_low)
        for row, value in zip(found.per_class, f1, strict=True):
            if row.f1_low is not None and row.f1_high is not None:
                inside["label"].append(row.f1_low <= value <= row.f1_high)
        compared = paired_bootstrap(targets, given, again, rng, resamples=300)
        gap = f1 - Truth(truth.common, SAME * truth.given + (1 - SAME) * other.given).f1(_parts(task))
        inside["difference"].append(compared.low <= gap[has].mean() <= compared.high)
        for one in paired_classes(targets, given, again, rng, resamples=200):
            if one.difference is not None:
                inside["label_difference"].append(one.low <= gap[one.column] <= one.high)
        inside["difference_width"].append(compared.high - compared.low)
    return {name: float(np.mean(values)) for name, values in inside.items()}


def _parts(task: DocumentTask) -> int:
    return 1 if task.exclusive else 2


def seconds(documents: int = 2_000, labels: int = 77) -> float:
    """Return how long an evaluation takes, the median of nine."""
    rng = np.random.default_rng(0)
    truth = world(rng, labels, 0.8, skewed=False)
    true, given, _ = draw(rng, truth, truth, documents, OF_DOCUMENTS["single"])
    counts = [rows.sum(axis=0).astype(np.float64) for rows in (true & given, given, true)]
    taken = []
    for _ in range(9):
        started = time.perf_counter()
        intervals.of_labels(*counts)
        intervals.of_macro(*counts, rng, exclusive=True)
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--worlds", type=int, default=200, help="of each cell")
    parser.add_argument("--low-worlds", type=int, default=600, help="of a cell with support 1 to 4")
    parser.add_argument("--task", choices=sorted(OF_DOCUMENTS), help="only this one")
    parser.add_argument("--first", type=int, default=0, help="seed of the first world")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for task in [OF_DOCUMENTS[arguments.task]] if arguments.task else OF_DOCUMENTS.values():
        for labels in LABELS:
            for support in SUPPORTS:
                if labels * support < FEWEST:
                    continue
                for quality in QUALITIES:
                    count = arguments.low_worlds if support <= 4 else arguments.worlds
                    worlds = range(arguments.first, arguments.first + count)
                    found = cell(task, labels, support, quality, worlds)
                    where = {
                        "task": task.key,
                        "labels": labels,
                        "support": support,
                        "quality": quality,
                        "worlds": count,
                    }
                    rows.append(where | found)
                    print(json.dumps(rows[-1]), flush=True)
    content = {"command": " ".join(sys.argv), "seconds": seconds(), "cells": rows}
    for name in ("macro", "label", "difference", "label_difference"):
        values = [row[name] for row in rows if name in row]
        content[name] = {"mean": float(np.mean(values)), "least": float(np.min(values))}
    print(json.dumps({key: value for key, value in content.items() if key != "cells"}))
    if arguments.json:
        arguments.json.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    main()
