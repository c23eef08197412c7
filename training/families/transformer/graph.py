"""A fine-tuned network as an ONNX graph, with the attention of onnxruntime where that answers alike."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from training.bundles.bundle import GRAPH
from training.bundles.predictor import session_options
from training.families.shared.network import Classifier, activate, longest_input
from training.families.transformer.fused import DOMAINS, attention_in_one, calling_attention
from training.types import Task

_OPSET = 17
_ALIKE = 1e-4


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
    encoder = calling_attention(network.encoder)
    if heads is not None and encoder is not None:
        _export(OneText(_with_encoder(network, encoder), task).eval(), folder, heads)
        if _answers_like(plain, folder):
            return
    _export(plain, folder, None)


def _with_encoder(network: Classifier, encoder: nn.Module) -> Classifier:
    twin = Classifier(encoder, network.pooling, network.head.out_features)
    twin.head = network.head
    return twin


def _export(graph: OneText, folder: Path, heads: int | None) -> None:
    device = graph.network.head.weight.device
    fused = nullcontext() if heads is None else attention_in_one(heads, _OPSET)
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
            custom_opsets=DOMAINS if heads is not None else None,
        )
    model = onnx.load(folder / GRAPH)
    del model.graph.value_info[:]  # of onnxruntime's operator it has no type, which quantizing trips over
    onnx.save(model, folder / GRAPH)


@torch.no_grad()
def _answers_like(graph: OneText, folder: Path) -> bool:
    """Tell whether the written graph's probabilities are those of the network, on made-up windows."""
    network = graph.network
    shape = (2, longest_input(network))
    ids = np.random.default_rng(0).integers(0, network.encoder.config.vocab_size, shape)
    ids[ids == network.padding] += 1  # no text holds it, and positions may leave it out
    expected = graph(torch.from_numpy(ids).to(network.head.weight.device)).cpu().numpy()
    session = ort.InferenceSession(folder / GRAPH, session_options(1), providers=["CPUExecutionProvider"])
    found = np.asarray(session.run(None, {"input_ids": ids})[0])
    return bool(np.abs(found - expected).max() <= _ALIKE)
