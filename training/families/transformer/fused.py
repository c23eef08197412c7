"""Attention as one operator of onnxruntime in a graph, instead of ten that write every score down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch.onnx import (  # type: ignore[attr-defined]
    register_custom_op_symbolic,
    unregister_custom_op_symbolic,
)
from transformers import AutoModel

DOMAINS = {"com.microsoft": 1}
_ATTENTION = "aten::scaled_dot_product_attention"
_SWAPPED = (0, 2, 1, 3)


def calling_attention(encoder: Any) -> Any | None:
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
def attention_in_one(heads: int, opset: int) -> Iterator[None]:
    """Export every call of PyTorch's attention function as onnxruntime's `MultiHeadAttention`.

    NB: masks are left out, as with one it computes the slow way, and windows without padding need none.
    Encoders with masks of another kind answer otherwise then, which the caller has to check.
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
