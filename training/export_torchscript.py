"""From a bundle to one TorchScript file, for who serves with PyTorch; proven to answer like the bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer
from torch import Tensor, nn

from training.bundle import GRAPH, MANIFEST, Manifest, encoder_folder
from training.checkpoints import find_checkpoint
from training.export import MAX_DIFFERENCE
from training.preprocess import load_preprocessor
from training.preprocess.encoder import TOKENIZER_FILE, EncoderConfig, read_config
from training.serve import Predictor
from training.types import FloatArray, Task, TrainingError

_LINEAR = ("Gather", "MatMul", "Add")
_BAG = ("Gather", "MatMul", "MatMul", "Add")
_VECTORS = ("MatMul", "Add")

Inputs = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a TorchScript file compares with its bundle; `note` where they cannot be equal."""

    inputs: tuple[str, ...]
    texts: int
    max_difference: float
    same_decisions: float
    note: str = ""


class Bag(nn.Module):
    """activation(values @ table[ids] @ output + bias): `ids` (features,), `values` (1, features)."""

    if TYPE_CHECKING:  # TorchScript cannot read postponed annotations
        table: Tensor  # (rows, dimension)
        output: Tensor  # (dimension, labels)
        bias: Tensor

    def __init__(self, single: bool, table: Tensor, output: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.single = single
        self.register_buffer("table", table)
        self.register_buffer("output", output)
        self.register_buffer("bias", bias)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        logits = values @ self.table[ids] @ self.output + self.bias
        return torch.softmax(logits, dim=-1) if self.single else torch.sigmoid(logits)


class Linear(nn.Module):
    """activation(values @ weights[ids] + bias): `ids` (features,), `values` (1, features)."""

    if TYPE_CHECKING:
        weights: Tensor  # (n-grams, labels)
        bias: Tensor

    def __init__(self, single: bool, weights: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.single = single
        self.register_buffer("weights", weights)
        self.register_buffer("bias", bias)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        logits = values @ self.weights[ids] + self.bias
        return torch.softmax(logits, dim=-1) if self.single else torch.sigmoid(logits)


class Encoded(nn.Module):
    """An encoder with a head: token `input_ids` and `attention_mask`, both (texts, tokens)."""

    if TYPE_CHECKING:
        weights: Tensor  # (dimension, labels)
        bias: Tensor

    def __init__(self, single: bool, weights: Tensor, bias: Tensor, encoder: nn.Module, pooling: str) -> None:
        super().__init__()
        self.single = single
        self.encoder = encoder
        self.pooling = pooling
        self.register_buffer("weights", weights)
        self.register_buffer("bias", bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask)[0]  # (texts, tokens, dim)
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        pooled = hidden[:, 0] if self.pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
        logits = nn.functional.normalize(pooled, dim=-1) @ self.weights + self.bias
        return torch.softmax(logits, dim=-1) if self.single else torch.sigmoid(logits)


def export_torchscript(
    bundle: Path, file: Path, texts: Sequence[str], *, encoder_root: Path | None = None
) -> Agreement:
    """Write the bundle's model as TorchScript and compare both on `texts` (or label names without any).

    The program yields uncalibrated probabilities (texts, labels), as the bundle's graph does; the manifest
    with calibration and thresholds is inside the file as `manifest.json`. Over an encoder a text is one row
    of at most `max_length` tokens, so longer texts are left out of the comparison. Raises `TrainingError` for
    graphs other than linear ones, and for a program that answers unlike its bundle; then no file is left.
    """
    predictor = Predictor(bundle, encoder_root=encoder_root)
    manifest = predictor.manifest
    texts = list(texts) or [label.name for label in manifest.schema.labels]
    encoder = encoder_folder(bundle, manifest, encoder_root)
    if manifest.encoder is None:
        program = torch.jit.script(_read_head(bundle, manifest).eval())
        rows = [_one(feed) for feed in load_preprocessor(manifest.preprocessing, bundle).feeds(texts)]
    elif encoder is None:
        raise TrainingError(f"The encoder {manifest.encoder[:12]} of {bundle} is not on this machine.")
    else:
        config = read_config(encoder)
        texts, rows = map(list, zip(*_that_fit(encoder, config, texts), strict=True))
        program = _traced(_over_encoder(bundle, manifest, config), rows)
    found = _run(program, rows)
    agreement = _compare(predictor, predictor.predict_raw(texts), found, tuple(rows[0]), _note(encoder))
    if not agreement.note and not agreement.max_difference <= MAX_DIFFERENCE:
        raise TrainingError(
            f"The TorchScript program differs from its bundle by {agreement.max_difference:.2g} (allowed "
            f"{MAX_DIFFERENCE:g}); it is not written."
        )
    torch.jit.save(program, str(file), _extra_files={MANIFEST: json.dumps(manifest.to_json())})
    return agreement


def _read_head(bundle: Path, manifest: Manifest) -> nn.Module:
    graph = onnx.load(str(bundle / GRAPH)).graph
    arrays = {entry.name: torch.tensor(numpy_helper.to_array(entry)) for entry in graph.initializer}
    kind, single = tuple(node.op_type for node in graph.node)[:-1], manifest.schema.task is Task.SINGLE
    if kind == _LINEAR:
        return Linear(single, arrays["weights"], arrays["bias"])
    if kind == _BAG:
        return Bag(single, arrays["table"], arrays["output"], arrays["bias"])
    raise _refused(manifest)


def _over_encoder(bundle: Path, manifest: Manifest, config: EncoderConfig) -> nn.Module:
    from transformers import AutoModel

    graph = onnx.load(str(bundle / GRAPH)).graph
    if tuple(node.op_type for node in graph.node)[:-1] != _VECTORS:
        raise _refused(manifest)
    arrays = {entry.name: torch.tensor(numpy_helper.to_array(entry)) for entry in graph.initializer}
    folder = find_checkpoint(config.name).folder
    encoder = AutoModel.from_pretrained(folder, trust_remote_code=False, attn_implementation="eager")
    single = manifest.schema.task is Task.SINGLE
    return Encoded(single, arrays["weights"], arrays["bias"], encoder, config.pooling).eval()


def _refused(manifest: Manifest) -> TrainingError:
    return TrainingError(
        f"A bundle of the family {manifest.family!r} with this head cannot become TorchScript; linear heads "
        "over n-grams, over fastText's rows and over an encoder can. Serve its model.onnx instead."
    )


def _traced(module: nn.Module, rows: list[Inputs]) -> Any:
    longest = max(rows, key=lambda row: row["input_ids"].shape[1])
    example = tuple(torch.tensor(array) for array in longest.values())
    trace: Any = torch.jit.trace  # without types
    with torch.no_grad():
        return trace(module, example, strict=False, check_trace=False)  # it is compared on all texts


def _one(feed: Any) -> Inputs:
    return {"ids": feed["ids"], "values": feed["values"]}


def _that_fit(folder: Path, config: EncoderConfig, texts: Sequence[str]) -> list[tuple[str, Inputs]]:
    """Return the texts of one window with their tokens; longer ones would have to be read in several."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    rows = []
    for text in texts:
        prepared = config.prompt + text
        ids = np.array([tokenizer.encode(prepared.lower() if config.lowercase else prepared).ids], np.int64)
        if ids.shape[1] <= config.max_length:
            rows.append((text, {"input_ids": ids, "attention_mask": np.ones_like(ids)}))
    if not rows:
        raise TrainingError(
            f"No text has at most {config.max_length} tokens; give shorter ones to compare on."
        )
    return rows


def _run(program: Any, rows: list[Inputs]) -> FloatArray:
    with torch.no_grad():
        found = [program(*(torch.tensor(array) for array in row.values())) for row in rows]
    return np.asarray(torch.cat(found).numpy(), np.float32)


def _note(encoder: Path | None) -> str:
    if encoder is None or read_config(encoder).precision == "fp32":
        return ""
    return "the bundle's encoder is INT8 and TorchScript has the FP32 checkpoint, so scores differ"


def _compare(
    predictor: Predictor, expected: FloatArray, found: FloatArray, inputs: tuple[str, ...], note: str
) -> Agreement:
    same = [a == b for a, b in zip(predictor.decide(expected), predictor.decide(found), strict=True)]
    largest = float(np.abs(expected - found).max())
    return Agreement(inputs, len(found), largest, float(np.mean(same)), note)
