"""The graph of a head that gives a logit for each tag of a word."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from training.bundles.bundle import GRAPH
from training.types import FloatArray


def write_tag_graph(folder: Path, weights: FloatArray, bias: FloatArray) -> None:
    """Write features @ weights + bias: `features` (words, features) to `logits` (words, tags), float32."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["sums"]),
            helper.make_node("Add", ["sums", "bias"], ["logits"]),
        ],
        "tags_of_words",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["words", len(weights)])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["words", len(bias)])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def read_tag_graph(folder: Path) -> tuple[FloatArray, FloatArray]:
    """Return weights (features, tags) and bias (tags,) of a graph that `write_tag_graph` wrote."""
    try:
        graph = onnx.load(str(folder / GRAPH)).graph
    except DecodeError as error:
        raise ValueError(f"{folder / GRAPH} is not an ONNX graph") from error
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    return arrays["weights"].copy(), arrays["bias"].copy()
