"""The models of bundles as PyTorch modules: linear heads, alone or over an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from training.bundles.bundle import GRAPH, Manifest
from training.encoders.checkpoints import find_checkpoint
from training.preprocess.encoder import EncoderConfig
from training.types import TrainingError

_LINEAR = ("Gather", "MatMul", "Add")
_BAG = ("Gather", "MatMul", "MatMul", "Add")
_VECTORS = ("MatMul", "Add")


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


def read_head(bundle: Path, manifest: Manifest) -> nn.Module:
    """Return the module of a linear graph over n-grams or rows; raises `TrainingError` for other graphs."""
    graph = onnx.load(str(bundle / GRAPH)).graph
    arrays = {entry.name: torch.tensor(numpy_helper.to_array(entry)) for entry in graph.initializer}
    kind, single = tuple(node.op_type for node in graph.node)[:-1], manifest.schema.task.exclusive
    if kind == _LINEAR:
        return Linear(single, arrays["weights"], arrays["bias"]).eval()
    if kind == _BAG:
        return Bag(single, arrays["table"], arrays["output"], arrays["bias"]).eval()
    raise refused(manifest)


def read_over_encoder(bundle: Path, manifest: Manifest, config: EncoderConfig) -> nn.Module:
    """Return the bundle's encoder with its linear head as one module; raises what `read_head` raises."""
    from transformers import AutoModel

    graph = onnx.load(str(bundle / GRAPH)).graph
    if tuple(node.op_type for node in graph.node)[:-1] != _VECTORS:
        raise refused(manifest)
    arrays = {entry.name: torch.tensor(numpy_helper.to_array(entry)) for entry in graph.initializer}
    folder = find_checkpoint(config.name).folder
    encoder = AutoModel.from_pretrained(folder, trust_remote_code=False, attn_implementation="eager")
    single = manifest.schema.task.exclusive
    return Encoded(single, arrays["weights"], arrays["bias"], encoder, config.pooling).eval()


def refused(manifest: Manifest) -> TrainingError:
    """Return the error for a bundle with any other kind of model."""
    return TrainingError(
        f"A bundle of the family {manifest.family!r} with this head cannot become TorchScript; linear heads "
        "over n-grams, over subwords and over an encoder can, and whole networks that the bundle keeps. "
        "Serve its model.onnx instead."
    )
