"""How often the true figure lies in its 95 % interval, by simulation.

    python bench/coverage.py --worlds 200 --json OUT

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
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.figures import intervals
from training.figures.evaluate import evaluate, paired_bootstrap
from training.figures.evidence import FEWEST
from training.figures.thresholds import Decisions
from training.tasks import TASKS
from training.types import LabelSchema, LabelSpec, Task

LABELS = (3, 10, 30, 77)
SUPPORTS = (1, 2, 4, 10, 30)
QUALITIES = (0.5, 0.8, 0.95)


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


def draw(rng: np.random.Generator, truth: Truth, documents: int, task: Task) -> tuple[Decisions, Decisions]:
    """Return which labels documents have and which the model gives them, (documents, labels) each.

    With several labels a document is two of one label that were put together.
    """
    parts = []
    for _ in range(_parts(task)):
        has = rng.choice(len(truth.common), documents, p=truth.common)
        said = (rng.random(documents)[:, None] > truth.given[has].cumsum(axis=1)).sum(axis=1)
        rows = np.eye(len(truth.common), dtype=bool)
        parts.append((rows[has], rows[np.minimum(said, len(truth.common) - 1)]))
    true, given = parts[0]
    for more, also in parts[1:]:
        true, given = true | more, given | also
    return true, given


def cell(task: Task, labels: int, support: int, quality: float, worlds: int) -> dict[str, float]:
    """Return the share of worlds whose truth is inside, for macro-F1, a label's F1, and a difference."""
    inside: dict[str, list[float]] = defaultdict(list)
    documents = labels * support
    schema = LabelSchema(task, tuple(LabelSpec(str(j), str(j)) for j in range(labels)))
    for seed in range(worlds):
        rng = np.random.default_rng([seed, labels, support, int(100 * quality), int(task.exclusive)])
        truth = world(rng, labels, quality, skewed=bool(seed % 2))
        other = Truth(truth.common, world(rng, labels, quality, skewed=False).given)
        f1 = truth.f1(_parts(task))
        true, given = draw(rng, truth, documents, task)
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
        if task.exclusive:
            again = _redrawn(rng, true, given, other)
            compared = paired_bootstrap(targets, given, again, rng, resamples=300)
            gap = _gap(truth, other)[has].mean()
            inside["difference"].append(compared.low <= gap <= compared.high)
    return {name: float(np.mean(values)) for name, values in inside.items()}


def _parts(task: Task) -> int:
    return 1 if task.exclusive else 2


def _redrawn(rng: np.random.Generator, true: Decisions, given: Decisions, other: Truth) -> Decisions:
    """Return the decisions of a second model that says the same seven times in ten and else its own."""
    has = true.argmax(axis=1)
    own = (rng.random(len(true))[:, None] > other.given[has].cumsum(axis=1)).sum(axis=1)
    own = np.eye(true.shape[1], dtype=bool)[np.minimum(own, true.shape[1] - 1)]
    return np.where((rng.random(len(true)) < 0.7)[:, None], given, own)


def _gap(truth: Truth, other: Truth) -> np.ndarray:
    """Return by how much the first one's F1 (labels,) is higher."""
    second = Truth(truth.common, 0.7 * truth.given + 0.3 * other.given)
    return truth.f1() - second.f1()


def seconds(documents: int = 2_000, labels: int = 77) -> float:
    """Return how long an evaluation takes, the median of nine."""
    rng = np.random.default_rng(0)
    true, given = draw(rng, world(rng, labels, 0.8, skewed=False), documents, TASKS["single"])
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
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for task in TASKS.values():
        for labels in LABELS:
            for support in SUPPORTS:
                if labels * support < FEWEST:
                    continue
                for quality in QUALITIES:
                    found = cell(task, labels, support, quality, arguments.worlds)
                    where = {"task": task.key, "labels": labels, "support": support, "quality": quality}
                    rows.append(where | found)
                    print(json.dumps(rows[-1]), flush=True)
    content = {"command": " ".join(sys.argv), "seconds": seconds(), "cells": rows}
    for name in ("macro", "label", "difference"):
        values = [row[name] for row in rows if name in row]
        content[name] = {"mean": float(np.mean(values)), "least": float(np.min(values))}
    print(json.dumps({key: value for key, value in content.items() if key != "cells"}))
    if arguments.json:
        arguments.json.write_text(json.dumps(content, indent=1), "utf-8")


if __name__ == "__main__":
    main()
