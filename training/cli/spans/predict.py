"""`python -m training predict` for a bundle of spans: one JSON line for each text of a file."""

from __future__ import annotations

import argparse
import json

from training.bundles.span_predictor import SpanPredictor
from training.cli.spans.inputs import read_plain_texts
from training.types import Json

_ROWS = 256


def run(arguments: argparse.Namespace) -> None:
    """Print each text with its spans in the order of the file; confidences that only rank are null."""
    predictor = SpanPredictor(arguments.bundle, threads=arguments.threads)
    texts = read_plain_texts(arguments.file, arguments.text or "text")
    for start in range(0, len(texts), _ROWS):
        rows = texts[start : start + _ROWS]
        for text, answer in zip(rows, predictor.answers(rows), strict=True):
            told = answer.told(calibrated=predictor.manifest.calibrated)
            spans: list[dict[str, Json]] = [
                {
                    "start": span.start,
                    "end": span.end,
                    "label": span.label,
                    "text": text[span.start : span.end],
                    "confidence": score if score is None else round(score, 6),
                }
                for span, (_label, score) in zip(told.spans, told.span_scores, strict=True)
            ]
            whole: dict[str, Json] = {}
            if predictor.decoder.whole is not None:
                scores = {label: s if s is None else round(s, 6) for label, s in told.label_scores}
                whole = {"labels": told.labels, "scores": scores}
            print(json.dumps({"text": text, "spans": spans} | whole, ensure_ascii=False))
