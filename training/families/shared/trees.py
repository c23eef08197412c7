"""Gradient-boosted trees (LightGBM) as a head, and their graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from training.families.shared.heads import NEVER
from training.types import FloatArray, IntArray, Json, Task, TrainingError

FILE = "trees.json"
_ROUNDS = 100
_ENOUGH_IN_LEAF = 20  # documents, and fewer where the rarest labels have fewer
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
    if len(columns) < (2 if task.exclusive else 1):  # of a fold that lacks all others
        return TreeHead((), columns, targets.shape[1])
    settings = _SETTINGS | {"seed": seed, "min_data_in_leaf": _least_in_leaf(counts[columns])}
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
    """Return the library, imported only now: linear heads do without it."""
    try:
        return import_module("lightgbm")
    except ModuleNotFoundError as error:
        raise TrainingError("Trees need LightGBM: run pip install '.[train]'.") from error
    except OSError as error:  # the library is there, and the OpenMP runtime that it is linked to is not
        raise TrainingError(
            f"LightGBM cannot be loaded ({error}). On Debian, run apt-get install libgomp1."
        ) from error


def _least_in_leaf(counts: FloatArray) -> int:
    """Return a number that a rare label's documents can reach: a third of the lower quarter's count."""
    return int(np.clip(np.quantile(counts, 0.25) / 3, 1, _ENOUGH_IN_LEAF))
