"""Exports a bundle as one TorchScript file for serving with PyTorch, and proves that both answer alike."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from training.bundles.bundle import MANIFEST, encoder_folder
from training.bundles.predictor import Predictor
from training.export.modules import read_head, read_over_encoder, refused
from training.export.onnx import MAX_DIFFERENCE
from training.families.build import read_original
from training.figures import calibration
from training.figures.evaluate import agreement
from training.preprocess import load_preprocessor
from training.preprocess.encoder import TOKENIZER_FILE, read_config
from training.protocol import OffersModule
from training.types import FloatArray, TrainingError

Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a TorchScript file compares with its bundle; `note` where an INT8 bundle answers otherwise.

    An INT8 bundle that keeps its FP32 weights is compared by those.
    """

    inputs: tuple[str, ...]
    texts: int
    max_difference: float
    same_decisions: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Made:
    """A program, its inputs for each text of the comparison, and the scores (texts, labels) it has to reach.

    `is_exact` is false where it cannot reach them, as the note says.
    """

    program: Any
    rows: list[Inputs]
    expected: FloatArray
    note: str = ""
    is_exact: bool = True


def export_torchscript(
    bundle: Path, file: Path, texts: Sequence[str], *, encoder_root: Path | None = None
) -> Agreement:
    """Write the bundle's model as TorchScript and compare both on `texts` (or label names without any).

    The program yields uncalibrated probabilities (texts, labels), as the bundle's graph does; the manifest
    with calibration and thresholds is inside the file as `manifest.json`. Over an encoder a text is one row
    of at most `max_length` tokens, so longer texts are left out of the comparison; of a fine-tuned
    transformer the rows are the windows of one text. Raises `TrainingError` for graphs of other kinds, for a
    transformer without its weights, and for a program that answers unlike its bundle; then no file is left.
    """
    predictor = Predictor(bundle, encoder_root=encoder_root)
    manifest = predictor.manifest
    texts = list(texts) or [label.name for label in manifest.schema.labels]
    if manifest.preprocessing == "tokens":
        made = _of_network(predictor, texts)
    elif manifest.encoder is None:
        program = torch.jit.script(read_head(bundle, manifest))
        feeds = load_preprocessor(manifest.preprocessing, bundle).feeds(texts)
        rows: list[Inputs] = [{"ids": feed["ids"], "values": feed["values"]} for feed in feeds]
        made = _Made(program, rows, predictor.predict_raw(texts))
    else:
        made = _of_encoder(predictor, texts, encoder_root)
    found = _run(made.program, made.rows)
    largest, same = _compare(predictor, made.expected, found)
    if made.is_exact and not largest <= MAX_DIFFERENCE:
        raise TrainingError(
            f"The TorchScript program differs from its bundle by {largest:.2g} (allowed {MAX_DIFFERENCE:g}); "
            "it is not written."
        )
    torch.jit.save(made.program, str(file), _extra_files={MANIFEST: json.dumps(manifest.to_json())})
    return Agreement(tuple(made.rows[0]), len(found), largest, same, made.note)


def _of_encoder(predictor: Predictor, texts: list[str], encoder_root: Path | None) -> _Made:
    """Trace encoder and head together, on the texts that fit one window: a program reads none in several."""
    bundle, manifest = predictor.bundle, predictor.manifest
    encoder = encoder_folder(bundle, manifest, encoder_root)
    if encoder is None:
        raise TrainingError(f"The encoder {str(manifest.encoder)[:12]} of {bundle} is not on this machine.")
    config = read_config(encoder)
    tokenizer = Tokenizer.from_file(str(encoder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    fitting, rows = [], list[Inputs]()
    for text in texts:
        prepared = config.prompt + text
        ids = np.array([tokenizer.encode(prepared.lower() if config.lowercase else prepared).ids], np.int64)
        if ids.shape[1] <= config.max_length:
            fitting.append(text)
            rows.append({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    if not rows:
        raise TrainingError(
            f"No text has at most {config.max_length} tokens; give shorter ones to compare on."
        )
    program = _traced(read_over_encoder(bundle, manifest, config), rows)
    expected = predictor.predict_raw(fitting)
    if config.precision == "fp32":
        return _Made(program, rows, expected)
    note = "the bundle's encoder is INT8 and TorchScript has the FP32 checkpoint, so scores differ"
    return _Made(program, rows, expected, note, is_exact=False)


def _of_network(predictor: Predictor, texts: list[str]) -> _Made:
    """Trace the FP32 network that a bundle keeps; for an INT8 bundle the program is compared with it."""
    bundle, manifest = predictor.bundle, predictor.manifest
    model = read_original(bundle, manifest)
    if not isinstance(model, OffersModule):
        raise refused(manifest)
    module = model.module()
    rows = [dict(feed) for feed in load_preprocessor(manifest.preprocessing, bundle).feeds(texts)]
    # Two windows of nine tokens are traced. No text has such a shape, as several windows of one text are
    # always full, so any text shows whether the trace takes other shapes.
    ids = np.concatenate([row["input_ids"].ravel() for row in rows])
    program = _traced(module, [{"input_ids": np.resize(ids, (2, 9))}])
    published = predictor.predict_raw(texts)
    if manifest.precision == "fp32":
        return _Made(program, rows, published)
    expected = _run(module, rows)
    largest, same = _compare(predictor, published, expected)
    note = "the bundle's graph is INT8 and TorchScript has its FP32 weights: scores differ by up to "
    note += f"{largest:.2g}, {same:.1%} of the decisions are the same"
    return _Made(program, rows, expected, note)


def _traced(module: nn.Module, rows: list[Inputs]) -> Any:
    longest = max(rows, key=lambda row: row["input_ids"].shape[1])
    example = tuple(torch.tensor(array) for array in longest.values())
    trace: Any = torch.jit.trace  # PyTorch gives it no types
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of every shape that it reads
        return trace(module, example, strict=False, check_trace=False)  # it is compared on all texts later


def _run(program: Any, rows: list[Inputs]) -> FloatArray:
    with torch.no_grad():
        found = [program(*(torch.tensor(array) for array in row.values())) for row in rows]
    return np.asarray(torch.cat(found).numpy(), np.float32)


def _compare(predictor: Predictor, expected: FloatArray, found: FloatArray) -> tuple[float, float]:
    """Return the largest difference of uncalibrated scores, and the share of decisions that are the same."""
    schema, learned = predictor.schema, predictor.manifest.calibration
    one, other = (
        schema.task.decide(calibration.apply(learned, scores), predictor.thresholds)
        for scores in (expected, found)
    )
    return float(np.abs(expected - found).max()), agreement(one, other)
