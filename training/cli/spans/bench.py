"""`python -m training bench` for a bundle of spans: how fast it answers, and how large it is."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

import numpy as np

from training.bundles.bundle import bundle_bytes
from training.bundles.span_predictor import SpanPredictor
from training.cli.spans.inputs import read_plain_texts, word_count
from training.threads import machine
from training.types import FloatArray, Json, TrainingError

_SINGLES, _WARM = 500, 20
PIECES = 128
"""A text of about so many word pieces is timed as well, as papers do."""
_PIECES_A_WORD = 1.25  # of English


def measure_spans(predictor: SpanPredictor, texts: list[str]) -> dict[str, Json]:
    """Return latency of single texts, of one of 128 pieces, and texts and words a second, on one thread."""
    if not texts:
        raise TrainingError("There are no texts to measure with.")
    seconds = [_seconds(predictor, texts[i % len(texts)]) for i in range(_WARM + min(_SINGLES, len(texts)))]
    p50, p99 = np.percentile(seconds[_WARM:], (50, 99)) * 1_000
    longs = seconds_of_pieces(predictor, texts)
    started = time.perf_counter()
    predictor.answers(texts)
    together = time.perf_counter() - started
    return {
        "single_p50_ms": float(p50),
        "single_p99_ms": float(p99),
        "pieces_128_min_ms": 1_000 * float(longs.min()),
        "pieces_128_p50_ms": 1_000 * float(np.median(longs)),
        "texts_per_s": len(texts) / together,
        "words_per_s": word_count(texts) / together,
    }


def seconds_of_pieces(predictor: SpanPredictor, texts: Sequence[str]) -> FloatArray:
    """Return the seconds that each of 50 passes over a text of about 128 word pieces takes."""
    words = " ".join(texts).split()
    long = " ".join((words * (1 + PIECES // len(words)))[: round(PIECES / _PIECES_A_WORD)]) if words else ""
    return np.array([_seconds(predictor, long) for _ in range(_WARM + 50)][_WARM:])


def run(arguments: argparse.Namespace) -> None:
    """Measure single texts one by one, then all texts at once."""
    texts = read_plain_texts(arguments.file, arguments.text or "text")
    started = time.perf_counter()
    predictor = SpanPredictor(arguments.bundle, threads=arguments.threads)
    figures: dict[str, Json] = {"load_s": time.perf_counter() - started}
    figures |= measure_spans(predictor, texts)
    figures |= {
        "texts": len(texts),
        "threads": arguments.threads,
        "bundle_bytes": bundle_bytes(arguments.bundle),
        "parity": predictor.manifest.figures.get("parity"),
        "machine": machine(),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), "utf-8")
    print(json.dumps(figures))


def _seconds(predictor: SpanPredictor, text: str) -> float:
    started = time.perf_counter()
    predictor.answers([text])
    return time.perf_counter() - started
