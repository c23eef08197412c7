"""`python -m training bench DIR F --against torch`: the same weights in PyTorch, ONNX FP32 and ONNX INT8."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from training.bundles.bundle import GRAPH, BundleDraft, open_bundle
from training.bundles.predictor import Predictor
from training.cli.files import read_answers
from training.export.onnx import compare_int8, export_model, quantize
from training.families.build import read_original
from training.protocol import TextModel
from training.types import Dataset, Json, LabelSchema, TrainingError

_WARM = 20
_TURN = 25  # texts that each answers before the next one's turn, so that a busy machine slows all alike

Answer = Callable[[Sequence[str]], object]


def against_torch(arguments: argparse.Namespace) -> dict[str, Json]:
    """Return how many times faster than eager PyTorch both graphs answer, one text a run on all sides.

    `int8_size_ratio` compares the files of the two graphs, `int8_macro_f1_loss` is what INT8 loses on (at
    most 2,000 of) the labelled texts. `torch_batched_texts_per_s` is PyTorch with batches of similar length,
    which serving single requests cannot have.
    """
    # Before PyTorch is imported, which reads it once.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    manifest = open_bundle(arguments.bundle)
    documents = _labelled(arguments, manifest.schema)
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
        lost = compare_int8(exact.folder, small.folder, documents)[1].macro_f1_loss
    return {f"{name}_texts_per_s": rate for name, rate in rates.items()} | {
        "torch_batched_texts_per_s": _batched_rate(model, documents.texts),
        "fp32_speedup": rates["fp32"] / rates["torch"],
        "int8_speedup": rates["int8"] / rates["torch"],
        "int8_size_ratio": sizes[1] / sizes[0],
        "int8_macro_f1_loss": lost,
    }


def _labelled(arguments: argparse.Namespace, schema: LabelSchema) -> Dataset:
    if not arguments.label:
        raise TrainingError("--against needs --label, the column that INT8's loss is measured by.")
    texts, answers = read_answers(arguments.file, arguments.text, arguments.label, arguments.multi)
    return Dataset(schema, tuple(texts), schema.encode(answers))


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


def _batched_rate(model: TextModel, texts: tuple[str, ...]) -> float:
    started = time.perf_counter()
    model.predict_proba(texts)
    return len(texts) / (time.perf_counter() - started)
