"""Small ONNX graphs, built by hand: what they compute is their docstring."""

from __future__ import annotations

from pathlib import Path

from training.bundles.bundle import GRAPH
from training.types import FloatArray, Task


def write_gather_graph(folder: Path, task: Task, weights: FloatArray, bias: FloatArray) -> None:
    """Write activation(values @ weights[ids] + bias): a sparse row times a dense matrix.

    Inputs: `ids` (features,) int64, `values` (1, features) float32; output (1, labels). Only the rows of
    the n-grams that a text has are touched, so the time does not grow with the vocabulary. They are a second
    output, `rows` (features, labels): who asks for it can explain a decision without a copy of the weights.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    activation = "Softmax" if task.exclusive else "Sigmoid"  # Softmax is over the last axis: labels
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["weights", "ids"], ["rows"], axis=0),
            helper.make_node("MatMul", ["values", "rows"], ["sums"]),
            helper.make_node("Add", ["sums", "bias"], ["logits"]),
            helper.make_node(activation, ["logits"], ["probabilities"]),
        ],
        "linear_over_ngrams",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["features"]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, "features"]),
        ],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(bias)]),
            helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["features", len(bias)]),
        ],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def write_bag_graph(
    folder: Path, task: Task, table: FloatArray, output: FloatArray, bias: FloatArray
) -> None:
    """Write activation(values @ table[ids] @ output + bias): a weighted mean of rows, then a small matrix.

    Inputs and output as those of `write_gather_graph`; `table` is (rows, dimension), `output` (dimension,
    labels). With more labels than dimensions this is smaller than their product. For explanations it can be
    asked for two more outputs: `rows` (features, dimension) and `columns`, which is `output` itself.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    activation = "Softmax" if task.exclusive else "Sigmoid"
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"], axis=0),
            helper.make_node("MatMul", ["values", "rows"], ["means"]),
            helper.make_node("MatMul", ["means", "columns"], ["sums"]),
            helper.make_node("Add", ["sums", "bias"], ["logits"]),
            helper.make_node(activation, ["logits"], ["probabilities"]),
        ],
        "linear_over_means",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["features"]),
            helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, "features"]),
        ],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(bias)]),
            helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["features", len(output)]),
            helper.make_tensor_value_info("columns", TensorProto.FLOAT, list(output.shape)),
        ],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(output, "columns"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def write_vector_graph(folder: Path, task: Task, weights: FloatArray, bias: FloatArray) -> None:
    """Write activation(vectors @ weights + bias): `vectors` (rows, dimension) to (rows, labels), float32."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    activation = "Softmax" if task.exclusive else "Sigmoid"
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["vectors", "weights"], ["sums"]),
            helper.make_node("Add", ["sums", "bias"], ["logits"]),
            helper.make_node(activation, ["logits"], ["probabilities"]),
        ],
        "linear_over_vectors",
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["rows", len(weights)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", len(bias)])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def read_vector_graph(folder: Path) -> tuple[FloatArray, FloatArray]:
    """Return weights (dimension, labels) and bias (labels,) of a graph that `write_vector_graph` wrote."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    try:
        graph = onnx.load(str(folder / GRAPH)).graph
    except DecodeError as error:
        raise ValueError(f"{folder / GRAPH} is not an ONNX graph") from error
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}
    return arrays["weights"].copy(), arrays["bias"].copy()
