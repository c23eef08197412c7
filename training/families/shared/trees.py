"""Gradient-boosted trees (LightGBM) as a head, and their graph."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from training.bundles.bundle import GRAPH
from training.families.shared.heads import NEVER
from training.types import FloatArray, IntArray, Json, Task, TrainingError

FILE = "trees.json"
_ROUNDS = 100
_ENOUGH_IN_LEAF = 20  # documents; a leaf may have fewer where the rarest labels have fewer
_SETTINGS: dict[str, Json] = {
    "learning_rate": 0.1,
    "num_leaves": 15,
    "feature_fraction": 0.3,
    "lambda_l2": 1.0,
    "max_bin": 63,
    "min_data_in_bin": 1,
    "feature_pre_filter": False,
    "deterministic": True,
    "force_col_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True, slots=True)
class TreeHead:
    """Fitted trees: one booster with a tree for each label and round, or for multi-label one for each label.

    `columns` are the labels that the boosters know, of `labels` in all; the others never apply. Without any
    booster all that was learned is which label there is.
    """

    boosters: tuple[Any, ...]
    columns: IntArray
    labels: int

    def logits(self, matrix: Any) -> FloatArray:
        """Return scores before the activation (documents, labels) of dense or sparse rows."""
        found = np.full((matrix.shape[0], self.labels), NEVER, np.float32)
        found[:, self.columns] = 0.0
        if matrix.shape[0] and self.boosters:
            raw = [booster.predict(matrix, raw_score=True) for booster in self.boosters]
            found[:, self.columns] = np.column_stack(raw)
        return found

    def save(self, folder: Path) -> None:
        """Write the trees in LightGBM's own text form."""
        texts = [booster.model_to_string() for booster in self.boosters]
        content = {"labels": self.labels, "columns": self.columns.tolist(), "boosters": texts}
        (folder / FILE).write_text(json.dumps(content), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / FILE).read_text("utf-8"))
        boosters = tuple(_lightgbm().Booster(model_str=text) for text in content["boosters"])
        return cls(boosters, np.array(content["columns"], np.int64), content["labels"])

    def trees(self) -> Iterator[tuple[int, Json]]:
        """Yield (label, root node) of every tree, as LightGBM describes its nodes."""
        for place, booster in enumerate(self.boosters):
            each = booster.num_model_per_iteration()
            for i, tree in enumerate(booster.dump_model()["tree_info"]):
                yield int(self.columns[i % each if each > 1 else place]), tree["tree_structure"]


def fit_trees(task: Task, matrix: Any, targets: FloatArray, weights: FloatArray, *, seed: int) -> TreeHead:
    """Boost trees (Ke et al., LightGBM, 2017) on a dense or sparse matrix (documents, features).

    `targets` are 0/1; `weights` is (documents, 1), or (documents, labels) for multi-label. A hundred rounds:
    one softmax over the labels for single-label, a sigmoid of its own for each label for multi-label.
    """
    counts = targets.sum(axis=0)
    columns = np.flatnonzero(counts)
    if len(columns) < (2 if task.exclusive else 1):  # a fold may lack the documents of all other labels
        return TreeHead((), columns, targets.shape[1])
    # A third of the lower quarter's count is a number that the documents of a rare label can reach.
    in_leaf = int(np.clip(np.quantile(counts[columns], 0.25) / 3, 1, _ENOUGH_IN_LEAF))
    settings = _SETTINGS | {"seed": seed, "min_data_in_leaf": in_leaf}
    if task.exclusive:
        answers = targets[:, columns].argmax(axis=1)
        settings |= {"objective": "multiclass", "num_class": len(columns)}
        boosters = [_boost(settings, matrix, answers, weights[:, 0])]
    else:
        settings |= {"objective": "binary"}
        spread = np.broadcast_to(weights, targets.shape)
        boosters = [_boost(settings, matrix, targets[:, j].copy(), spread[:, j].copy()) for j in columns]
    return TreeHead(tuple(boosters), columns, targets.shape[1])


def _boost(settings: dict[str, Json], matrix: Any, answers: Any, weights: FloatArray) -> Any:
    lightgbm = _lightgbm()
    data = lightgbm.Dataset(matrix, label=answers, weight=weights, free_raw_data=True)
    return lightgbm.train(settings, data, num_boost_round=_ROUNDS)


def _lightgbm() -> Any:
    """Return the library; it is imported only when it is needed, because linear heads do without it."""
    try:
        return import_module("lightgbm")
    except ModuleNotFoundError as error:
        raise TrainingError("Trees need LightGBM: run pip install '.[train]'.") from error
    except OSError as error:  # the library is there, but the OpenMP runtime that it is linked to is missing
        raise TrainingError(
            f"LightGBM cannot be loaded ({error}). On Debian, run apt-get install libgomp1."
        ) from error


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

    # Each attribute is one list over all nodes, and those that begin with "target" over all leaves.
    # NB: a label that no tree is for gets a tree of one leaf, because onnxruntime leaves out its base value.
    never = [(label, {"leaf_value": NEVER}) for label in sorted(set(range(head.labels)) - {*head.columns})]
    columns: dict[str, Any] = defaultdict(list)
    for tree, (label, root) in enumerate([*head.trees(), *never]):
        for number, node in enumerate(_flat(root)):
            is_leaf = "leaf_value" in node
            said = {
                "nodes_treeids": tree,
                "nodes_nodeids": number,
                "nodes_modes": "LEAF" if is_leaf else "BRANCH_LEQ",
                "nodes_featureids": 0 if is_leaf else node["split_feature"],
                "nodes_values": 0.0 if is_leaf else _not_above(node["threshold"]),
                "nodes_truenodeids": node["true"],
                "nodes_falsenodeids": node["false"],
            }
            if is_leaf:
                said |= {"target_treeids": tree, "target_nodeids": number}
                said |= {"target_ids": label, "target_weights": node["leaf_value"]}
            for name, value in said.items():
                columns[name].append(value)
    trees = helper.make_node(
        "TreeEnsembleRegressor",
        [row],
        ["logits"],
        domain="ai.onnx.ml",
        n_targets=head.labels,
        **columns,
    )
    activation = helper.make_node("Softmax" if task.exclusive else "Sigmoid", ["logits"], ["probabilities"])
    output = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [rows, head.labels])
    graph = helper.make_graph([*before, trees, activation], "boosted_trees", inputs, [output])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())


def _flat(root: Json) -> Iterable[Json]:
    """Return a tree's nodes; each learns in `true` and `false` the numbers of its children."""
    nodes = [root]
    for node in nodes:  # the list grows while it is read
        for side, child in (("true", "left_child"), ("false", "right_child")):
            node[side] = len(nodes) if child in node else 0
            if child in node:
                nodes.append(node[child])
    return nodes


def _not_above(threshold: float) -> float:
    """Return the largest float32 that is not above a threshold: every float32 is on the same side of both.

    LightGBM splits at doubles. If one were rounded up, a value right at the split would go the other way.
    """
    rounded = np.float32(threshold)
    # NB: without float() NumPy would round the threshold before it compares.
    return float(np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > threshold else rounded)
