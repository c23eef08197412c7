"""The ONNX graphs of boosted trees, node by node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from training.bundles.bundle import GRAPH
from training.families.shared.heads import NEVER
from training.families.shared.trees import TreeHead
from training.types import Json, Task


def write_vector_trees(folder: Path, task: Task, head: TreeHead, dimension: int) -> None:
    """Write activation(sum of the trees' leaves): `vectors` (rows, dimension) to (rows, labels), float32."""
    from onnx import TensorProto, helper

    inputs = [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["rows", dimension])]
    _write(folder, task, head, [], inputs, "vectors", "rows")


def write_gather_trees(folder: Path, task: Task, head: TreeHead, features: int) -> None:
    """Write the same over one text's n-grams: `values` (1, n) are put at `ids` (n,) of a row of zeros."""
    from onnx import TensorProto, helper

    zeros = helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0])
    nodes = [
        helper.make_node("Constant", [], ["shape"], value_ints=[1, features]),
        helper.make_node("ConstantOfShape", ["shape"], ["empty"], value=zeros),
        helper.make_node("Constant", [], ["first"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["ids", "first"], ["places"]),
        helper.make_node("ScatterElements", ["empty", "places", "values"], ["row"], axis=1),
    ]
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, ["features"]),
        helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, "features"]),
    ]
    _write(folder, task, head, nodes, inputs, "row", 1)


def _write(
    folder: Path, task: Task, head: TreeHead, before: list[Any], inputs: list[Any], row: str, rows: str | int
) -> None:
    import onnx
    from onnx import TensorProto, helper

    trees = helper.make_node(
        "TreeEnsembleRegressor", [row], ["logits"], domain="ai.onnx.ml", **_attributes(head)
    )
    activation = helper.make_node("Softmax" if task.exclusive else "Sigmoid", ["logits"], ["probabilities"])
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [rows, head.labels])
    graph = helper.make_graph([*before, trees, activation], "boosted_trees", inputs, [output])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def _attributes(head: TreeHead) -> dict[str, Json]:
    # NB: a tree of one leaf, as onnxruntime leaves out the base value of a label that no tree is for.
    never = [(label, {"leaf_value": NEVER}) for label in sorted(set(range(head.labels)) - {*head.columns})]
    columns: dict[str, list[Json]] = defaultdict(list)
    for tree, (label, root) in enumerate([*head.trees(), *never]):
        for number, node in enumerate(_flat(root)):
            _add_node(columns, tree, number, node, label)
    return dict(columns) | {"n_targets": head.labels}


def _flat(root: Json) -> Iterable[Json]:
    """Return a tree's nodes; each learns in `true` and `false` the numbers of its children."""
    nodes = [root]
    for node in nodes:  # grows while it is read
        for side, child in (("true", "left_child"), ("false", "right_child")):
            node[side] = len(nodes) if child in node else 0
            if child in node:
                nodes.append(node[child])
    return nodes


def _add_node(columns: dict[str, list[Json]], tree: int, number: int, node: Json, label: int) -> None:
    is_leaf = "leaf_value" in node
    row = {
        "treeids": tree,
        "nodeids": number,
        "modes": "LEAF" if is_leaf else "BRANCH_LEQ",
        "featureids": 0 if is_leaf else node["split_feature"],
        "values": 0.0 if is_leaf else _not_above(node["threshold"]),
        "truenodeids": node["true"],
        "falsenodeids": node["false"],
    }
    for name, value in row.items():
        columns[f"nodes_{name}"].append(value)
    if is_leaf:
        leaf = {"treeids": tree, "nodeids": number, "ids": label, "weights": node["leaf_value"]}
        for name, value in leaf.items():
            columns[f"target_{name}"].append(value)


def _not_above(threshold: float) -> float:
    """Return the largest float32 that is not above: x <= both is the same for every float32 x.

    LightGBM splits at doubles; rounded up, a value right at the split would go the other way.
    """
    rounded = np.float32(threshold)
    # NB: without float() NumPy would round the threshold before it compares.
    return float(np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded)
