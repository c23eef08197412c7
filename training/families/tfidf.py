"""TF-IDF over word and character n-grams with logistic regression: fits in a second, needs no encoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from training.preprocess.ngrams import NgramPreprocessor, NgramSettings
from training.types import Dataset, Exported, FloatArray, Task, TrainingError


class TfidfModel:
    """Logistic regression over n-gram weights: softmax for one label, one sigmoid per label for many."""

    def __init__(self, *, seed: int = 0, C: float = 10.0) -> None:
        self.seed = seed
        self.C = C

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn vocabulary and weights."""
        if not len(dataset):
            raise TrainingError("There is no labelled document to learn from.")
        self.task_ = dataset.schema.task
        self.ngrams_ = NgramPreprocessor.fit(dataset.texts, NgramSettings())
        X = self._matrix(dataset.texts)
        labels = len(dataset.schema)
        self.weights_ = np.zeros((len(self.ngrams_), labels), np.float32)
        self.bias_ = np.full(labels, -20.0, np.float32)
        if self.task_ is Task.SINGLE:
            y = dataset.targets.argmax(1)
            present = np.unique(y)
            model = LogisticRegression(C=self.C, class_weight="balanced", max_iter=200).fit(X, y)
            self.weights_[:, present] = model.coef_.T
            self.bias_[present] = model.intercept_
        else:
            for j in np.flatnonzero(dataset.targets.any(0)):
                model = LogisticRegression(
                    C=self.C, class_weight="balanced", solver="liblinear", random_state=self.seed
                )
                model.fit(X, dataset.targets[:, j])
                self.weights_[:, j] = model.coef_[0]
                self.bias_[j] = model.intercept_[0]
        return self

    def _matrix(self, texts: tuple[str, ...]) -> csr_matrix:
        data, indices, ends = self.ngrams_.sparse(texts)
        return csr_matrix((data, indices, ends), shape=(len(texts), len(self.ngrams_)))

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return probabilities (texts, labels)."""
        logits = self._matrix(texts) @ self.weights_ + self.bias_
        if self.task_ is Task.MULTI:
            return np.asarray(1 / (1 + np.exp(-logits)), np.float32)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(odds / odds.sum(1, keepdims=True), np.float32)

    def save(self, folder: Path) -> None:
        """Write vocabulary, weights and task."""
        self.ngrams_.save(folder)
        np.savez(folder / "weights.npz", weights=self.weights_, bias=self.bias_, allow_pickle=False)
        (folder / "model.json").write_text(json.dumps({"task": self.task_, "seed": self.seed, "C": self.C}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / "model.json").read_text())
        model = cls(seed=content["seed"], C=content["C"])
        model.task_ = Task(content["task"])
        model.ngrams_ = NgramPreprocessor.load(folder)
        arrays = np.load(folder / "weights.npz", allow_pickle=False)
        model.weights_, model.bias_ = arrays["weights"], arrays["bias"]
        return model

    def export(self, folder: Path) -> Exported:
        """Write the graph: gather the rows of the weight matrix, weigh and sum them, add the bias, activate."""
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        activation = (
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)
            if self.task_ is Task.SINGLE
            else helper.make_node("Sigmoid", ["logits"], ["probabilities"])
        )
        graph = helper.make_graph(
            [
                helper.make_node("Gather", ["weights", "ids"], ["rows"], axis=0),
                helper.make_node("MatMul", ["values", "rows"], ["sums"]),
                helper.make_node("Add", ["sums", "bias"], ["logits"]),
                activation,
            ],
            "tfidf",
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["features"]),
                helper.make_tensor_value_info("values", TensorProto.FLOAT, [1, "features"]),
            ],
            [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, len(self.bias_)])],
            [numpy_helper.from_array(self.weights_, "weights"), numpy_helper.from_array(self.bias_, "bias")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        self.ngrams_.save(folder)
        return Exported("ngrams")
