"""A family that only the tests know, to show what a new one takes: this file and the entry at its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.families.shared.graphs import write_gather_graph
from training.families.shared.heads import Head, activate
from training.preprocess.ngrams import NgramPreprocessor, NgramSettings
from training.registry import Family, Option
from training.types import Dataset, Exported, FloatArray, LabelSchema, LabelSpec, TrainingError

COUNTED = ("words", "letters")


class ToyModel:
    """Naive Bayes over n-grams (Maron, 1961): for each label, how much more often its texts have them."""

    def __init__(self, *, seed: int = 0, counted: str = "words") -> None:
        self.seed = seed
        self.counted = counted

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        if self.counted not in COUNTED:
            raise TrainingError(f"There is no {self.counted!r}; choose one of {', '.join(COUNTED)}.")
        if not dataset.targets.any():
            raise TrainingError("No labelled document has any label; label some that do first.")
        self.schema_ = dataset.schema
        longest = 0 if self.counted == "words" else 3
        settings = NgramSettings(word_max=1, char_min=2, char_max=longest)
        self.ngrams_ = NgramPreprocessor.fit(dataset.texts, settings)
        seen = self._matrix(dataset.texts)  # (documents, n-grams)
        having, lacking = (targets.T @ seen + 0.1 for targets in (dataset.targets, 1 - dataset.targets))
        shares = [part / part.sum(axis=1, keepdims=True) for part in (having, lacking)]
        # n-grams weigh at most 1 in a text, so the logarithms are raised to what tells labels apart.
        weights = 4 * np.log(shares[0] / shares[1]).T
        often = (dataset.targets.sum(axis=0) + 0.1) / (len(dataset) + 0.2)
        self.head_ = Head(weights.astype(np.float32), np.log(often / (1 - often)).astype(np.float32))
        return self

    def _matrix(self, texts: tuple[str, ...]) -> FloatArray:
        found = np.zeros((len(texts), len(self.ngrams_)), np.float32)
        for row, text in zip(found, texts, strict=True):
            ids, values = self.ngrams_.weights(text)
            row[ids] = values
        return found

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        return activate(self.schema_.task, self.head_.logits(self._matrix(texts)))

    def save(self, folder: Path) -> None:
        self.ngrams_.save(folder)
        self.head_.save(folder)
        content = {"task": self.schema_.task.key, "keys": self.schema_.keys, "counted": self.counted}
        (folder / "toy.json").write_text(json.dumps(content), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        content = json.loads((folder / "toy.json").read_text("utf-8"))
        model = cls(counted=content["counted"])
        labels = tuple(LabelSpec(key, key) for key in content["keys"])
        model.schema_ = LabelSchema(tasks.find(content["task"]), labels)
        model.ngrams_, model.head_ = NgramPreprocessor.load(folder), Head.load(folder)
        return model

    def export(self, folder: Path) -> Exported:
        write_gather_graph(folder, self.schema_.task, self.head_.weights, self.head_.bias)
        self.ngrams_.save(folder)
        return Exported("ngrams")


TOY = Family(
    "toy",
    "Toy of the tests",
    f"{__name__}:ToyModel",
    help="Counts how often the texts of each label have an n-gram.",
    options=(Option("counted", "What is counted", (("words", "Whole words"), ("letters", "Letters too"))),),
)
