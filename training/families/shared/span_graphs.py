"""The graph of a head that gives a logit for each tag of a word, and of one beside it for whole texts."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from training.bundles.bundle import GRAPH
from training.families.shared.heads import Head
from training.types import FloatArray

_WHOLE_WEIGHTS, _WHOLE_BIAS = "whole_weights", "whole_bias"


def write_tag_graph(folder: Path, weights: FloatArray, bias: FloatArray, whole: Head | None = None) -> None:
    """Write features @ weights + bias: `features` (words, features) to `logits` (words, tags), float32.

    `whole` is a head on the mean of the features: its sigmoids are the output `labels` (1, labels).
    """
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["sums"]),
        helper.make_node("Add", ["sums", "bias"], ["logits"]),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["words", len(bias)])]
    arrays = {"weights": weights, "bias": bias}
    if whole is not None:
        nodes += [
            helper.make_node("ReduceMean", ["features"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("MatMul", ["mean", _WHOLE_WEIGHTS], ["whole_sums"]),
            helper.make_node("Add", ["whole_sums", _WHOLE_BIAS], ["whole_logits"]),
            helper.make_node("Sigmoid", ["whole_logits"], ["labels"]),
        ]
        outputs.append(helper.make_tensor_value_info("labels", TensorProto.FLOAT, [1, len(whole.bias)]))
        arrays |= {_WHOLE_WEIGHTS: whole.weights, _WHOLE_BIAS: whole.bias}
    graph = helper.make_graph(
        nodes,
        "tags_of_words",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["words", len(weights)])],
        outputs,
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def read_tag_graph(folder: Path) -> tuple[FloatArray, FloatArray, Head | None]:
    """Return weights (features, tags), bias (tags,) and the head of whole texts, as they were written."""
    try:
        graph = onnx.load(str(folder / GRAPH)).graph
    except DecodeError as error:
        raise ValueError(f"{folder / GRAPH} is not an ONNX graph") from error
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    whole = None
    if _WHOLE_WEIGHTS in arrays:
        whole = Head(arrays[_WHOLE_WEIGHTS].copy(), arrays[_WHOLE_BIAS].copy())
    return arrays["weights"].copy(), arrays["bias"].copy(), whole
