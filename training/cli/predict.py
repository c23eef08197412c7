"""`python -m training predict`: one JSON line for each text of a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from training.bundles.bundle import read_manifest
from training.bundles.predictor import Predictor
from training.cli.inputs import read_texts
from training.cli.spans import predict as spans
from training.types import Answer, LabelSchema

_ROWS = 256


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("predict", help="label the texts of a file with a bundle")
    parser.add_argument("bundle", type=Path, metavar="DIR")
    parser.add_argument("file", type=Path, metavar="F")
    parser.add_argument("--text", default="text", metavar="COL", help="column of the text")
    parser.add_argument("--threads", type=int, default=1)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print labels and calibrated scores in the order of the file.

    Scores that only rank are null. A bundle that guesses from label names gives nothing for a strange text,
    and one with a least confidence no label for a text that it is less sure of.
    """
    if not isinstance(read_manifest(arguments.bundle).schema, LabelSchema):
        spans.run(arguments)
        return
    predictor = Predictor(arguments.bundle, threads=arguments.threads)
    texts = read_texts(arguments.file, arguments.text)
    keys = predictor.schema.keys
    for start in range(0, len(texts), _ROWS):
        rows = texts[start : start + _ROWS]
        scores, known = predictor.predict_proba(rows), predictor.knows(rows)  # (texts, labels), (texts,)
        decided, unsure = predictor.decide(scores), predictor.abstains(scores).tolist()
        for text, row, chosen, is_known, is_unsure in zip(
            rows, scores.tolist(), decided, known, unsure, strict=True
        ):
            scored = sorted(zip(keys, row, strict=True), key=lambda pair: -pair[1])
            answer = Answer(tuple(keys[j] for j in chosen), scores=tuple(scored)).told(
                calibrated=predictor.manifest.calibrated
            )
            if not is_known:
                answer = Answer()
            by_key = {key: score if score is None else round(score, 6) for key, score in answer.scores}
            labels = () if is_unsure else answer.labels
            told = {"text": text, "labels": labels, "scores": by_key, "abstained": is_unsure}
            print(json.dumps(told, ensure_ascii=False))
