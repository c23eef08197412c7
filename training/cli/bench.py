"""`python -m training bench`: how fast a bundle answers, how large it is, how it agrees with its model."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from training.bundles.bundle import bundle_bytes
from training.bundles.predictor import Predictor
from training.cli.against import against_torch
from training.cli.files import read_texts
from training.types import Json, TrainingError

_SINGLES = 2_000
_WARM = 50


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("bench", help="measure latency, throughput and size of a bundle")
    parser.add_argument("bundle", type=Path, metavar="DIR")
    parser.add_argument("file", type=Path, metavar="F")
    parser.add_argument("--text", required=True, metavar="COL", help="column of the text")
    parser.add_argument("--label", metavar="COL", help="column of the label or labels, for --against")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument(
        "--against", choices=["torch"], help="compare FP32 and INT8 with PyTorch, on the bundle's own weights"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Measure single texts one by one, then all texts at once."""
    texts = read_texts(arguments.file, arguments.text)
    if not texts:
        raise TrainingError(f"{arguments.file} has no texts to measure with.")
    started = time.perf_counter()
    predictor = Predictor(arguments.bundle, threads=arguments.threads)
    figures: dict[str, Json] = {"load_s": time.perf_counter() - started}
    figures |= _latency(predictor, texts) | _throughput(predictor, texts)
    figures |= {
        "texts": len(texts),
        "threads": arguments.threads,
        "bundle_bytes": bundle_bytes(arguments.bundle),
        "parity": predictor.manifest.figures.get("parity"),
    }
    if arguments.against:
        figures |= against_torch(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), "utf-8")
    print(json.dumps(figures))


def _latency(predictor: Predictor, texts: list[str]) -> dict[str, float]:
    seconds = []
    for i in range(_WARM + min(_SINGLES, max(len(texts), 200))):
        started = time.perf_counter()
        predictor.decide(predictor.predict_proba([texts[i % len(texts)]]))
        seconds.append(time.perf_counter() - started)
    p50, p99 = np.percentile(seconds[_WARM:], (50, 99)) * 1_000
    return {"single_p50_ms": float(p50), "single_p99_ms": float(p99)}


def _throughput(predictor: Predictor, texts: list[str]) -> dict[str, float]:
    started = time.perf_counter()
    predictor.predict_proba(texts)
    return {"texts_per_s": len(texts) / (time.perf_counter() - started)}
