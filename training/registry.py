"""What can be chosen by key. Importing this module loads no family and no strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from training.types import ScoreKind, Task, TrainingError


@dataclass(frozen=True, slots=True)
class Entry:
    """One choice: the name that people see, where its code is, and the extra that installs what it needs."""

    label: str
    path: str  # "package.module:name"
    extra: str
    score_kinds: tuple[ScoreKind, ...] = (ScoreKind.EXCLUSIVE, ScoreKind.INDEPENDENT)  # that it can work with
    needs: tuple[str, ...] = ()  # of a strategy: "scores", "vectors"; of a family: "embedder"
    learns: bool = True  # from labelled texts, and so from a teacher's
    slow: bool = False  # a family whose fit takes minutes or hours
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of parameters, the usual one first

    def suits(self, task: Task) -> bool:
        """Tell whether it can work with the scores of a task."""
        return task.score_kind in self.score_kinds

    def load(self) -> Any:
        """Import and return the object; the error names the pip command where a package is missing."""
        module, _, name = self.path.partition(":")
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise TrainingError(
                f"{self.label} needs the package {error.name!r}: run pip install '.[{self.extra}]'."
            ) from error


FAMILIES: dict[str, Entry] = {
    "zero_shot": Entry(
        "Label names, no labels needed",
        "training.families.zero_shot.model:ZeroShotModel",
        "train",
        needs=("embedder",),
        learns=False,
    ),
    "tfidf": Entry(
        "TF-IDF",
        "training.families.tfidf.model:TfidfModel",
        "train",
        choices={
            "head": ("logistic", "svm", "lightgbm"),
            "imbalance": ("usual", "none", "balanced", "undersample", "augment"),
        },
    ),
    "fasttext": Entry("fastText", "training.families.fasttext.model:FasttextModel", "fasttext"),
    "embedding": Entry(
        "Sentence embeddings",
        "training.families.embedding.model:EmbeddingModel",
        "train",
        needs=("embedder",),
        choices={
            "head": ("logistic", "lightgbm"),
            "imbalance": ("none", "balanced", "undersample", "smote"),
        },
    ),
    "transformer": Entry(
        "Fine-tuned transformer",
        "training.families.transformer.model:TransformerModel",
        "train",
        slow=True,
        choices={"imbalance": ("none", "balanced", "focal", "undersample", "augment")},
    ),
}

STRATEGIES: dict[str, Entry] = {
    "random": Entry("Random order", "training.strategies.wrappers:random_order", "train"),
    "kmeans": Entry(
        "Cold start: k-means", "training.strategies.diversity:kmeans", "train", needs=("vectors",)
    ),
    "margin": Entry(
        "Margin", "training.strategies.uncertainty:margin", "train", (ScoreKind.EXCLUSIVE,), ("scores",)
    ),
    "entropy": Entry(
        "Entropy", "training.strategies.uncertainty:entropy", "train", (ScoreKind.EXCLUSIVE,), ("scores",)
    ),
    "least_confidence": Entry(
        "Least confidence",
        "training.strategies.uncertainty:least_confidence",
        "train",
        (ScoreKind.EXCLUSIVE,),
        ("scores",),
    ),
    "label_turns": Entry(
        "Labels take turns",
        "training.strategies.multilabel:label_turns",
        "train",
        (ScoreKind.INDEPENDENT,),
        ("scores",),
    ),
}

# What turns a strategy's choice into a batch; heavy, and reached by path like the strategies themselves.
CHOOSER = Entry("Batches", "training.strategies.wrappers:choose_batch", "train")

# Makes a team's own version of an encoder; heavy as well.
ENCODER_TUNER = Entry("Tuning an encoder", "training.families.encoder_tuning.tune:tune_encoder", "train")


def slow_families() -> list[str]:
    """Return the keys of the families that train for minutes or hours."""
    return [key for key, family in FAMILIES.items() if family.slow]


def entry(table: dict[str, Entry], key: str) -> Entry:
    """Return the entry of `key`, or raise `TrainingError` naming the keys that exist."""
    if key not in table:
        raise TrainingError(f"There is no {key!r}; choose one of {', '.join(sorted(table))}.")
    return table[key]
