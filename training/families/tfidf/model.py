"""TF-IDF over word and character n-grams with a linear head or trees: fits in a second, needs no encoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.families.shared.graphs import write_gather_graph
from training.families.shared.heads import Head, activate
from training.families.shared.imbalance import NONE, check_imbalance
from training.families.shared.teaching import with_scores, with_surest
from training.families.shared.trees import TreeHead, write_gather_trees
from training.families.tfidf.heads import HEADS, IMBALANCES, LIGHTGBM, LOGISTIC, USUAL, NgramRecipe
from training.families.tfidf.matrix import most_telling, ngram_matrix
from training.preprocess.explaining import by_place, contributions, weightiest
from training.preprocess.ngrams import NgramPreprocessor, NgramSettings
from training.types import Dataset, Exported, FloatArray, NgramWeight, TrainingError

_TREE_NGRAMS = 2_000  # with more, trees took longer and were no better


class TfidfModel:
    """A head over n-gram weights: softmax for one label, one sigmoid per label for many.

    *logistic* is logistic regression; *svm* a linear support vector machine for each label, with margins
    calibrated out of fold; *lightgbm* boosts trees on the 2,000 n-grams that depend most on the labels.
    `C` is the inverse of the L2 penalty of the first two. `imbalance` is what is done where labels are rare:
    usually "balanced" for single-label, and "none" for multi-label, where weights gain nothing after tuned
    thresholds and scores would have to be calibrated back.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        head: str = LOGISTIC,
        imbalance: str = USUAL,
        C: float = 0.0,
        word_max: int = 2,
        char_min: int = 2,
        char_max: int = 4,
        max_features: int = 40_000,
    ) -> None:
        """Store the settings; `C` 0 stands for 10 (3 with over 3,000 multi-label documents, 1 for svm)."""
        self.seed = seed
        self.head = head
        self.imbalance = imbalance
        self.C = C
        self.settings = NgramSettings(word_max, char_min, char_max, max_features=max_features)

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn vocabulary and weights; `valid` is not looked at."""
        if self.head not in HEADS:
            raise TrainingError(f"There is no head {self.head!r}; choose one of {', '.join(HEADS)}.")
        check_imbalance(self.imbalance, IMBALANCES, "tfidf")
        if self.C < 0 or self.settings.max_features < 1:
            raise TrainingError("C must not be negative, and max_features must be at least 1.")
        if not len(dataset):
            raise TrainingError("There is no labelled document to learn from yet.")
        used = int(dataset.targets.any(axis=0).sum())
        if used < 2 and dataset.schema.task.exclusive:
            raise TrainingError(
                "All labelled documents have the same label; label some of another one first."
            )
        if not used:
            raise TrainingError("No labelled document has any label; label some that do first.")
        self.task_ = dataset.schema.task
        self.ngrams_ = NgramPreprocessor.fit(dataset.texts, self.settings)
        if not len(self.ngrams_):
            raise TrainingError("No labelled document has any text to learn from.")
        if self.head == LIGHTGBM:
            self.ngrams_ = most_telling(self.ngrams_, dataset.texts, dataset.targets, _TREE_NGRAMS)
        recipe = NgramRecipe(self.head, self.imbalance, self.C, self.seed)
        self.head_ = recipe.learn(self.ngrams_, dataset)
        return self

    def fit_softly(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn from a teacher's probabilities too; other heads than logistic from its surest decisions."""
        joined = with_scores(dataset) if self.head == LOGISTIC else with_surest(dataset)
        return self.fit(joined, valid=valid)

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return probabilities (texts, labels)."""
        logits = self.head_.logits(ngram_matrix(self.ngrams_, texts))
        return activate(self.task_, np.asarray(logits, np.float32))

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], n: int
    ) -> tuple[tuple[NgramWeight, ...], ...]:
        """Return for each text the at most `n` weightiest n-grams for the label of that column."""
        if isinstance(self.head_, TreeHead):
            raise TrainingError("Trees weigh n-grams together, so none has a weight of its own to tell.")
        found = []
        for text, label in zip(texts, labels, strict=True):
            parts = self.ngrams_.parts(text)
            added = contributions(self.task_, parts.values, self.head_.weights[parts.ids], label)
            found.append(weightiest(parts.places, by_place(parts, added), n))
        return tuple(found)

    def save(self, folder: Path) -> None:
        """Write vocabulary, head and task."""
        self.ngrams_.save(folder)
        self.head_.save(folder)
        content = {"task": self.task_.key, "seed": self.seed, "C": self.C}
        content |= {"head": self.head, "imbalance": self.imbalance}
        (folder / "model.json").write_text(json.dumps(content), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, and what it wrote when there was one head and `balanced` a switch."""
        content = json.loads((folder / "model.json").read_text("utf-8"))
        earlier = USUAL if content.pop("balanced", True) else NONE
        task = tasks.find_for_documents(content.pop("task"))
        model = cls(**{"imbalance": earlier} | content)
        model.task_ = task
        model.ngrams_ = NgramPreprocessor.load(folder)
        model.settings = model.ngrams_.settings
        model.head_ = (TreeHead if model.head == LIGHTGBM else Head).load(folder)
        return model

    def export(self, folder: Path) -> Exported:
        """Write the graph (gather the weights' rows, weigh, sum, add bias, activate) and the vocabulary."""
        if isinstance(self.head_, TreeHead):
            write_gather_trees(folder, self.task_, self.head_, len(self.ngrams_))
        else:
            write_gather_graph(folder, self.task_, self.head_.weights, self.head_.bias)
        self.ngrams_.save(folder)
        return Exported("ngrams")
