"""`python -m training bench`: how fast a bundle answers, how large it is, how it agrees with its model.

With `--against torch` the same weights answer in PyTorch, ONNX FP32 and ONNX INT8."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from training.bundles.bundle import GRAPH, BundleDraft, bundle_bytes, label_schema, open_bundle, read_manifest
from training.bundles.predictor import Predictor
from training.cli.inputs import output_file, read_dataset, read_texts
from training.cli.spans import bench as spans
from training.export.onnx import compare_int8, export_model, quantize
from training.families.build import read_original
from training.figures.evidence import figure, is_enough, why_none
from training.threads import machine
from training.types import Json, LabelSchema, TrainingError

_SINGLES = 2_000
_WARM = 50
_TURN = 25  # texts of one model's turn; turns are short, so that a busy machine slows all alike

Answer = Callable[[Sequence[str]], object]


def against_torch(arguments: argparse.Namespace) -> dict[str, Json]:
    """Return how many times faster than eager PyTorch both graphs answer, all with one text at a time.

    `int8_size_ratio` compares the files of the two graphs, `int8_macro_f1_loss` is what INT8 loses on (at
    most 2,000 of) the labelled texts. `torch_batched_texts_per_s` is PyTorch with batches of similar length,
    which serving single requests cannot have.
    """
    # Set before PyTorch is imported, which reads it only once.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    manifest = open_bundle(arguments.bundle)
    if not arguments.label:
        raise TrainingError("--against needs --label, the column that INT8's loss is measured by.")
    schema = label_schema(arguments.bundle, manifest)
    documents = read_dataset(
        arguments.file, schema, text=arguments.text, label=arguments.label, multi=arguments.multi
    )
    model = read_original(arguments.bundle, manifest)
    fields = {
        name: getattr(manifest, name) for name in ("family", "schema", "thresholds", "calibration", "figures")
    }
    with (
        tempfile.TemporaryDirectory() as scratch,
        BundleDraft(Path(scratch) / "fp32") as exact,
        BundleDraft(Path(scratch) / "int8") as small,
    ):
        quantize(exact, small, export_model(model, exact, fields))
        sizes = [(draft.folder / GRAPH).stat().st_size for draft in (exact, small)]
        fp32, int8 = (Predictor(draft.folder, threads=arguments.threads) for draft in (exact, small))
        rates = _rates(
            documents.texts,
            {
                "torch": lambda texts: model.predict_proba(tuple(texts)),
                "fp32": fp32.predict_raw,
                "int8": int8.predict_raw,
            },
        )
        twin = compare_int8(exact.folder, small.folder, documents)[1]
        lost = figure(twin.macro_f1_loss, twin.documents)
    started = time.perf_counter()
    model.predict_proba(documents.texts)
    batched_s = time.perf_counter() - started
    return {f"{name}_texts_per_s": rate for name, rate in rates.items()} | {
        "torch_batched_texts_per_s": len(documents) / batched_s,
        "fp32_speedup": rates["fp32"] / rates["torch"],
        "int8_speedup": rates["int8"] / rates["torch"],
        "int8_size_ratio": sizes[1] / sizes[0],
        "int8_macro_f1_loss": lost,
        "reason": "" if is_enough(twin.documents) else why_none(twin.documents),
    }


def _rates(texts: Sequence[str], answers: dict[str, Answer]) -> dict[str, float]:
    """Return the texts per second of each, given one text at a time; they take turns."""
    seconds = dict.fromkeys(answers, 0.0)
    for answer in answers.values():
        for text in texts[:_WARM]:
            answer([text])
    for start in range(0, len(texts), _TURN):
        for name, answer in answers.items():
            started = time.perf_counter()
            for text in texts[start : start + _TURN]:
                answer([text])
            seconds[name] += time.perf_counter() - started
    return {name: len(texts) / spent for name, spent in seconds.items()}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("bench", help="measure latency, throughput and size of a bundle")
    parser.add_argument("bundle", type=Path, metavar="DIR")
    parser.add_argument("file", type=Path, metavar="F")
    parser.add_argument("--text", default="text", metavar="COL", help="column of the text")
    parser.add_argument("--label", metavar="COL", help="column of the label or labels, for --against")
    parser.add_argument("--multi", metavar="SEP", help="multi-label: what separates labels in a cell")
    parser.add_argument(
        "--against", choices=["torch"], help="compare FP32 and INT8 with PyTorch, on the bundle's own weights"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=output_file, metavar="OUT", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Measure single texts one by one, then all texts at once."""
    if not isinstance(read_manifest(arguments.bundle).schema, LabelSchema):
        spans.run(arguments)
        return
    texts = read_texts(arguments.file, arguments.text)
    if not texts:
        raise TrainingError(f"{arguments.file} has no texts to measure with.")
    started = time.perf_counter()
    predictor = Predictor(arguments.bundle, threads=arguments.threads)
    figures: dict[str, Json] = {"load_s": time.perf_counter() - started}
    seconds = []
    for i in range(_WARM + min(_SINGLES, max(len(texts), 200))):
        started = time.perf_counter()
        predictor.decide(predictor.predict_proba([texts[i % len(texts)]]))
        seconds.append(time.perf_counter() - started)
    p50, p99 = np.percentile(seconds[_WARM:], (50, 99)) * 1_000
    started = time.perf_counter()
    predictor.predict_proba(texts)
    together_s = time.perf_counter() - started
    figures |= {
        "single_p50_ms": float(p50),
        "single_p99_ms": float(p99),
        "texts_per_s": len(texts) / together_s,
        "texts": len(texts),
        "threads": arguments.threads,
        "bundle_bytes": bundle_bytes(arguments.bundle),
        "parity": predictor.manifest.figures.get("parity"),
        "machine": machine(),
    }
    if arguments.against:
        figures |= against_torch(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1), "utf-8")
    print(json.dumps(figures))
