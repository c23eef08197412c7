"""What a model family has to offer, and what it may offer beyond that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from training.selection import PoolView, Selection
from training.spans import SpanDataset, WordScores
from training.types import Dataset, Exported, FloatArray, IntArray, NgramWeight


class TextModel(Protocol):
    """A text classifier whose scores are always (documents, labels) in schema order.

    Constructors only store; `fit` learns. Everything drawn at random follows the constructor's seed.
    """

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn from `dataset`; `valid` is only for early stopping and model choice, never for metrics.

        Raises `TrainingError` where the data cannot be learned from, as with fewer than two labels.
        """

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return uncalibrated probabilities of shape (texts, labels)."""

    def save(self, folder: Path) -> None:
        """Write the fitted model without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; predictions are equal to the saved model's."""


class SpanModel(Protocol):
    """A tagger of words, whose scores are log probabilities of BIO tags in schema order.

    Constructors only store; `fit` learns. Everything drawn at random follows the constructor's seed.
    """

    usual_bias: float
    """By how much its decoder raises labels where there is little to tune that on."""

    def fit(self, dataset: SpanDataset, *, valid: SpanDataset) -> Self:
        """Learn from `dataset`; `valid` is only for early stopping and model choice, never for metrics.

        Raises `TrainingError` where the data cannot be learned from, as without a single span.
        """

    def word_scores(self, texts: Sequence[str]) -> list[WordScores]:
        """Return what is said of each text, uncalibrated and before any bias of the decoder."""

    def held_back(self) -> tuple[IntArray, list[WordScores]]:
        """Return rows (held,) of the dataset and what is said of them by a model that had not seen them.

        There are none where the texts are too few to spare some.
        """

    def save(self, folder: Path) -> None:
        """Write the fitted model without pickle."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the saved model's."""

    def export(self, folder: Path) -> Exported:
        """Write `model.onnx` and the files its preprocessing needs into `folder`, and say what they are.

        The graph's output is logits whose last axis is tags; the preprocessing says which row is which word.
        """


@runtime_checkable
class ExportsOnnx(Protocol):
    """A model that can leave Python."""

    def export(self, folder: Path) -> Exported:
        """Write `model.onnx` and the files its preprocessing needs into `folder`, and say what they are.

        The graph has one input for each array of the preprocessing's feeds and one output: uncalibrated
        probabilities of shape (rows, labels).
        """


@runtime_checkable
class OffersModule(Protocol):
    """A model that is one PyTorch module."""

    def module(self) -> Any:
        """Return it on the processor, without dropout: it takes the arrays of one feed of its preprocessing
        and returns what the graph does, uncalibrated probabilities of shape (rows, labels).
        """


@runtime_checkable
class ScoresPool(Protocol):
    """A model that scores its dataset's pool better than `predict_proba` could."""

    def pool_scores(self) -> FloatArray:
        """Return scores of shape (pool texts, labels), in the order of `dataset.pool.texts`."""


@runtime_checkable
class ScoresOutOfFold(Protocol):
    """A model that scores its own training documents out of fold faster than by fitting it anew."""

    def out_of_fold(self, folds: IntArray) -> FloatArray:
        """Return scores (documents, labels): each document's from a model fitted without its fold.

        `folds` (documents,) numbers the fold of each document of the dataset given to `fit`.
        """


@runtime_checkable
class LearnsSoftly(Protocol):
    """A model that learns from probabilities as well as from labels."""

    def fit_softly(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn as `fit` does, and from the scores of `dataset.taught`, each text of it weighing one."""


@runtime_checkable
class Explains(Protocol):
    """A model that can tell which parts of a text spoke for a label and which against it."""

    def explain(
        self, texts: Sequence[str], labels: Sequence[int], n: int
    ) -> tuple[tuple[NgramWeight, ...], ...]:
        """Return for each text the at most `n` weightiest n-grams for the label of that column.

        `labels` (texts,) are columns of the schema. Raises `TrainingError` where the head cannot tell.
        """


@runtime_checkable
class ScoresHeldBack(Protocol):
    """A model that held some of its documents back to stop early, and scored them before it saw them."""

    def held_back(self) -> tuple[IntArray, FloatArray] | None:
        """Return rows (held,) of the dataset and their scores (held, labels), None without any."""


@runtime_checkable
class OffersInt8(Protocol):
    """A model whose graph has matrices large enough that quantizing them makes it faster and smaller."""

    int8: bool
    """Whether the INT8 graph is to be published where it passes the gate (see `export.prefer_int8`)."""


@runtime_checkable
class ReportsProgress(Protocol):
    """A model that takes long enough to say how far it is."""

    on_progress: Callable[[float], None]
    """To be set before `fit`: called at least every few seconds of fitting and predicting with the share of
    the fit that is done. What it raises ends the fit."""


class QueryStrategy(Protocol):
    """Chooses what people should label next from stored scores and vectors, in milliseconds."""

    def __call__(self, pool: PoolView, n: int, rng: np.random.Generator) -> Selection:
        """Return at most `n` rows. Raises `TrainingError` for scores that are missing, empty or constant."""
