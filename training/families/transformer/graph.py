"""A fine-tuned network as an ONNX graph, with the attention of onnxruntime where that answers alike."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn
from torch.onnx import (  # type: ignore[attr-defined]
    register_custom_op_symbolic,
    unregister_custom_op_symbolic,
)
from transformers import AutoModel

from training.bundles.bundle import GRAPH
from training.bundles.predictor import session_options
from training.families.shared.network import Classifier, activate, longest_input
from training.types import Task

_OPSET = 17
_DOMAINS = {"com.microsoft": 1}  # the version of each set of operators beside ONNX's own
_ALIKE = 1e-4  # the largest difference of probabilities that counts as the same answer
_ATTENTION = "aten::scaled_dot_product_attention"
_SWAPPED = (0, 2, 1, 3)


class OneText(nn.Module):
    """What is exported: the windows of one text (windows, tokens) to its probabilities (1, labels)."""

    def __init__(self, network: Classifier, task: Task) -> None:
        super().__init__()
        self.network = network
        self.task = task

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return activate(self.task, self.network(input_ids, torch.ones_like(input_ids))).mean(
            dim=0, keepdim=True
        )


def write_onnx(network: Classifier, task: Task, folder: Path) -> None:
    """Write `model.onnx`: `input_ids` (windows, tokens) of one text to `probabilities` (1, labels).

    Attention is one operator where the encoder can be written so and the graph then answers like it on
    windows of the greatest length, which positions, masks or sliding windows of its own would change.
    """
    plain = OneText(network, task).eval()
    heads = getattr(network.encoder.config, "num_attention_heads", None)
    encoder = _calling_attention(network.encoder)
    if heads is not None and encoder is not None:
        twin = Classifier(encoder, network.pooling, network.head.out_features)
        twin.head = network.head
        _export(OneText(twin, task).eval(), folder, heads)
        # Both answer made-up windows. No token is padding, because no text holds it, and an encoder may give
        # it no position.
        shape = (2, longest_input(network))
        ids = np.random.default_rng(0).integers(0, network.encoder.config.vocab_size, shape)
        ids[ids == network.padding] += 1
        with torch.no_grad():
            expected = plain(torch.from_numpy(ids).to(network.head.weight.device)).cpu().numpy()
        session = ort.InferenceSession(folder / GRAPH, session_options(1), providers=["CPUExecutionProvider"])
        found = np.asarray(session.run(None, {"input_ids": ids})[0])
        if np.abs(found - expected).max() <= _ALIKE:
            return
    _export(plain, folder, None)


def _export(graph: OneText, folder: Path, heads: int | None) -> None:
    device = graph.network.head.weight.device
    fused = nullcontext() if heads is None else _attention_in_one(heads, _OPSET)
    with torch.no_grad(), fused, warnings.catch_warnings():
        # The tracer warns of every shape that it reads; parity with the model is checked on real texts.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (torch.ones((2, 9), dtype=torch.int64, device=device),),
            str(folder / GRAPH),
            input_names=["input_ids"],
            output_names=["probabilities"],
            dynamic_axes={"input_ids": {0: "windows", 1: "tokens"}},
            opset_version=_OPSET,
            do_constant_folding=True,
            dynamo=False,
            custom_opsets=_DOMAINS if heads is not None else None,
        )
    model = onnx.load(folder / GRAPH)
    # Types are left out, because that of onnxruntime's operator is missing, and quantizing stops there.
    del model.graph.value_info[:]
    onnx.save(model, folder / GRAPH)


def _calling_attention(encoder: Any) -> Any | None:
    """Return a copy of an encoder that calls PyTorch's attention function; None where its kind does not."""
    try:
        twin = AutoModel.from_config(  # type: ignore[no-untyped-call]
            deepcopy(encoder.config), trust_remote_code=False, attn_implementation="sdpa"
        )
    except ValueError:
        return None
    for name, part in encoder.named_children():
        if part is None:
            setattr(twin, name, None)
    twin.load_state_dict(encoder.state_dict(), strict=False)
    return twin.to(next(encoder.parameters()).device).eval()


@contextmanager
def _attention_in_one(heads: int, opset: int) -> Iterator[None]:
    """Export every call of PyTorch's attention function as onnxruntime's `MultiHeadAttention`.

    That is one operator instead of ten which write every score down. NB: masks are left out, because with a
    mask the operator computes in the slow way, and windows without padding need none. An encoder with masks
    of another kind then answers otherwise, which the caller has to check.
    """

    def symbolic(g: Any, query: Any, key: Any, value: Any, *_: Any) -> Any:
        inputs = [_joined(g, rows) for rows in (query, key, value)]
        found = g.op("com.microsoft::MultiHeadAttention", *inputs, num_heads_i=heads)
        return g.op("Transpose", g.op("Reshape", found, _constant(g, 0, 0, heads, -1)), perm_i=_SWAPPED)

    register_custom_op_symbolic(_ATTENTION, symbolic, opset)
    try:
        yield
    finally:
        unregister_custom_op_symbolic(_ATTENTION, opset)


def _joined(g: Any, rows: Any) -> Any:
    """Return (windows, tokens, heads * d) of (windows, heads, tokens, d): what was split, where it was."""
    swap = rows.node()
    split = next(swap.inputs()).node() if swap.kind() == "onnx::Transpose" else swap
    if split.kind() == "onnx::Reshape":
        return next(split.inputs())
    return g.op("Reshape", g.op("Transpose", rows, perm_i=_SWAPPED), _constant(g, 0, 0, -1))


def _constant(g: Any, *numbers: int) -> Any:
    return g.op("Constant", value_t=torch.tensor(numbers))
