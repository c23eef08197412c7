"""A pretrained encoder tuned as a whole with a linear head: the most accurate, and the slowest to train."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import torch

from training.checkpoints import find_checkpoint
from training.families._devices import best_device
from training.families._finetune import Examples, Progress, Recipe, fine_tune
from training.families._network import (
    Classifier,
    ensure_tokenizer,
    load_network,
    longest_input,
    read_network,
    save_network,
    write_onnx,
)
from training.families._scoring import score_windows
from training.preprocess.tokens import TokenPreprocessor, TokenSettings, read_tokenizer
from training.types import Dataset, Exported, FloatArray, Json, Task, TrainingError

_FILE = "transformer.json"
_STEPS = 500  # few texts are seen in more epochs
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 30
_RATE, _WIDTH, _HIGHEST_RATE = 2e-4, 384, 5e-4  # MiniLM's; wider encoders need a lower one


class TransformerModel:
    """Fine-tunes a checkpoint, found by name or path: softmax for one label, one sigmoid per label for many.

    It stops early by macro-F1 on `valid`. Where that is empty and documents are many, a tenth is held back
    for it, and then the network is tuned once more on all documents for the epochs found to be best; with
    `refit` off it stays as it is. With few documents all epochs are run. Zero lets the family choose:
    `epochs` by the number of documents, `learning_rate` by the width of the encoder.

    Long texts are cut into windows that overlap: an epoch learns from one of them, predictions average all.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        scratch: Path | None = None,
        checkpoint: str = "sentence-transformers/all-MiniLM-L6-v2",
        max_length: int = 128,
        overlap: int = 32,
        epochs: int = 0,
        batch_size: int = 32,
        learning_rate: float = 0.0,
        warmup: float = 0.1,
        label_smoothing: float = 0.1,
        focal: float = 0.0,
        balanced: bool = False,
        patience: int = 2,
        refit: bool = True,
        int8: bool = True,
    ) -> None:
        """Store the settings; in `scratch` a killed run leaves what the next one goes on from."""
        self.seed = seed
        self.scratch = scratch
        self.checkpoint = checkpoint
        self.max_length = max_length
        self.overlap = overlap
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.label_smoothing = label_smoothing
        self.focal = focal
        self.balanced = balanced
        self.patience = patience
        self.refit = refit
        self.int8 = int8
        self.on_progress: Callable[[float], None] = lambda done: None

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Tune the network; `valid` only decides when to stop."""
        self._check(dataset)
        self.task_ = dataset.schema.task
        self.network_ = self._read_checkpoint(len(dataset.schema))
        with _own_randomness(self.seed):
            progress = self._learn(dataset, valid)
        self.details_ = self._details(dataset, progress)
        return self

    def _check(self, dataset: Dataset) -> None:
        if not len(dataset):
            raise TrainingError("There is no labelled document to learn from yet.")
        if not any(text.strip() for text in dataset.texts):
            raise TrainingError("No labelled document has any text to learn from.")
        used = int(dataset.targets.any(axis=0).sum())
        if used < 2 and dataset.schema.task is Task.SINGLE:
            raise TrainingError(
                "All labelled documents have the same label; label some of another one first."
            )
        if not used:
            raise TrainingError("No labelled document has any label; label some that do first.")

    def _read_checkpoint(self, labels: int) -> Classifier:
        """Read network and tokenizer of the checkpoint; windows are as long as both allow."""
        found = find_checkpoint(self.checkpoint)
        network = read_network(found, labels)
        with tempfile.TemporaryDirectory() as scratch:
            tokenizer = read_tokenizer(ensure_tokenizer(found, Path(scratch)))
        settings = TokenSettings(
            max_length=min(self.max_length, longest_input(network)),
            overlap=self.overlap,
            lowercase=found.lowercase,
            prompt=found.prompt,
        )
        self.tokens_ = TokenPreprocessor(tokenizer, settings)
        return network.to(best_device())

    def _learn(self, dataset: Dataset, valid: Dataset) -> Progress:
        network, learn = self.network_, self._examples(dataset)
        network.start_head(self.task_, dataset.targets)
        return fine_tune(
            network, self.task_, learn, self._examples(valid), self._recipe(len(learn)), tell=self.on_progress
        )

    def _examples(self, dataset: Dataset) -> Examples:
        windows = tuple(self.tokens_.tokens(text).windows for text in dataset.texts)
        return Examples(windows, dataset.targets)

    def _recipe(self, documents: int) -> Recipe:
        width = int(self.network_.head.in_features)
        return Recipe(
            epochs=self.epochs or _usual_epochs(documents, self.batch_size),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate or min(_RATE * (_WIDTH / width) ** 2, _HIGHEST_RATE),
            warmup=self.warmup,
            label_smoothing=self.label_smoothing,
            focal=self.focal,
            balanced=self.balanced,
            patience=self.patience,
            seed=self.seed,
        )

    def _details(self, dataset: Dataset, progress: Progress) -> dict[str, Json]:
        return {
            "epochs": len(progress.history),
            "best_epoch": progress.best_epoch,
            "stopped": progress.stopped,
            "valid_macro_f1": progress.history,
        }

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return probabilities (texts, labels), of a long text the mean over its windows."""
        windows = [self.tokens_.tokens(text).windows for text in texts]
        return score_windows(self.network_, self.task_, windows)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and settings."""
        save_network(self.network_, folder)
        self.tokens_.save(folder)
        content = {
            "task": self.task_,
            "labels": self.network_.head.out_features,
            "pooling": self.network_.pooling,
            "int8": self.int8,
        }
        (folder / _FILE).write_text(json.dumps(content, indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / _FILE).read_text("utf-8"))
        model = cls(int8=content["int8"])
        model.task_ = Task(content["task"])
        model.network_ = load_network(folder, content["pooling"], content["labels"]).to(best_device())
        model.tokens_ = TokenPreprocessor.load(folder)
        return model

    def export(self, folder: Path) -> Exported:
        """Write the whole classifier as a graph; its input is `input_ids` (windows, tokens) of one text."""
        write_onnx(self.network_, self.task_, folder)
        self.tokens_.save(folder)
        return Exported("tokens")


def _usual_epochs(documents: int, batch_size: int) -> int:
    steps = -(-documents // batch_size)
    return max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, -(-_STEPS // steps)))


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Draw dropout from a seed of our own and leave PyTorch's global state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
