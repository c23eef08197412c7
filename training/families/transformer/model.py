"""A pretrained encoder tuned as a whole with a linear head: often the most accurate, and slow to train."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from training import tasks
from training.bundles.bundle import ORIGINAL
from training.encoders.checkpoints import find_checkpoint
from training.families.shared.batches import Window
from training.families.shared.devices import best_device
from training.families.shared.imbalance import AUGMENT, BALANCED, NONE, UNDERSAMPLE, check_imbalance
from training.families.shared.network import (
    Classifier,
    ensure_tokenizer,
    load_network,
    longest_input,
    read_network,
    save_network,
)
from training.families.shared.state import FitState, SavedRun, copy_weights, fingerprint
from training.families.shared.steps import FitReporter
from training.families.shared.teaching import with_scores
from training.families.transformer.examples import Examples, rebalanced, tokenised
from training.families.transformer.finetune import Recipe, fine_tune
from training.families.transformer.graph import OneText, write_onnx
from training.families.transformer.scoring import score_windows
from training.preprocess.tokens import TokenPreprocessor, TokenSettings, read_tokenizer
from training.splits import assign_folds
from training.types import Dataset, Exported, FloatArray, IntArray, Json, TrainingError

FOCAL = "focal"
IMBALANCES = (NONE, BALANCED, FOCAL, UNDERSAMPLE, AUGMENT)
_GAMMA = 2.0  # how much the focal loss mutes what is already right; its authors found 2 best
_FILE = "transformer.json"
_ENOUGH_TO_STOP = 100  # documents; with fewer, one epoch cannot be told from the next
_HELD_BACK = 10  # one document in ten is held back
_STEPS = 500  # a run has about so many, so few texts are seen in more epochs
_FEWEST_EPOCHS, _MOST_EPOCHS = 5, 30
# The learning rate of MiniLM, whose vectors have 384 numbers; a wider encoder needs a lower one.
_RATE, _WIDTH, _HIGHEST_RATE = 2e-4, 384, 5e-4


class TransformerModel:
    """Fine-tunes a checkpoint, found by name or path: softmax for one label, one sigmoid per label for many.

    It stops early by macro-F1 on `valid`. Where that is too small and documents are many, a tenth is held
    back for it, and then the network is tuned once more on all documents for the epochs found to be best;
    with `refit` off it stays as it is. With few documents all epochs are run. Zero lets the family choose:
    `epochs` by the number of documents, `learning_rate` by the width of the encoder. `layers` keeps only so
    many of the encoder's lowest ones: a faster student for a teacher to teach.

    Where labels are rare, `imbalance` "balanced" makes them count alike in the loss, "focal" mutes what is
    already right (gamma 2), "undersample" and "augment" change which texts are learned from.

    Long texts are cut into windows that overlap: an epoch learns from one of them, predictions average all.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        scratch: Path | None = None,
        checkpoint: str = "sentence-transformers/all-MiniLM-L6-v2",
        layers: int = 0,
        max_length: int = 128,
        overlap: int = 32,
        epochs: int = 0,
        batch_size: int = 32,
        learning_rate: float = 0.0,
        warmup: float = 0.1,
        label_smoothing: float = 0.1,
        imbalance: str = NONE,
        patience: int = 2,
        refit: bool = True,
        int8: bool = True,
    ) -> None:
        """Store the settings; in `scratch` a killed run leaves what the next one goes on from."""
        self.seed = seed
        self.scratch = scratch
        self.checkpoint = checkpoint
        self.layers = layers
        self.max_length = max_length
        self.overlap = overlap
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.label_smoothing = label_smoothing
        self.imbalance = imbalance
        self.patience = patience
        self.refit = refit
        self.int8 = int8
        self.on_progress: Callable[[float], None] = lambda done: None
        self._held_back: tuple[IntArray, FloatArray] | None = None

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Tune the network; `valid` only decides when to stop."""
        return self._fit(dataset, valid, labelled=len(dataset))

    def fit_softly(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Tune the network on labels and on a teacher's scores; only labelled documents are held back."""
        return self._fit(with_scores(dataset), valid, labelled=len(dataset))

    def _fit(self, dataset: Dataset, valid: Dataset, *, labelled: int) -> Self:
        check_imbalance(self.imbalance, IMBALANCES, "transformer")
        if not len(dataset):
            raise TrainingError("There is no labelled document to learn from yet.")
        if not any(text.strip() for text in dataset.texts):
            raise TrainingError("No labelled document has any text to learn from.")
        used = int(dataset.targets.any(axis=0).sum())
        if used < 2 and dataset.schema.task.exclusive:
            raise TrainingError(
                "All labelled documents have the same label; label some of another one first."
            )
        if not used:
            raise TrainingError("No labelled document has any label; label some that do first.")
        self.task_ = dataset.schema.task
        self.network_ = self._read_checkpoint(len(dataset.schema))
        learn, stop = self._examples(dataset), self._examples(valid)
        # A tenth of the documents that people labelled, of each label alike and duplicates together.
        first = Dataset(dataset.schema, dataset.texts[:labelled], dataset.targets[:labelled])
        folds = assign_folds(first, _HELD_BACK, np.random.default_rng(self.seed))
        held = np.flatnonzero(folds == 0)
        # Dropout is drawn from a seed of our own, and PyTorch's global state stays as it was.
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            if len(stop) >= _ENOUGH_TO_STOP:
                progress = self._tune(learn, stop)
            elif len(held) >= _ENOUGH_TO_STOP:
                progress = self._tune_held_back(learn, held)
            else:
                progress = self._tune(learn, learn.rows(held[:0]))
        self.details_: dict[str, Json] = {
            "checkpoint": self.checkpoint,
            "layers": int(self.network_.encoder.config.num_hidden_layers),
            "epochs": progress.best_epoch,
            "stopped": progress.stopped,
            "valid_macro_f1": progress.history,
            **learn.shares(),
        }
        return self

    def _read_checkpoint(self, labels: int) -> Classifier:
        """Read network and tokenizer of the checkpoint; windows are as long as both allow."""
        found = find_checkpoint(self.checkpoint)
        network = read_network(found, labels, self.layers)
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

    def _tune_held_back(self, learn: Examples, held: IntArray) -> FitState:
        """Find the best epoch with some documents held back, then tune anew on all up to that epoch."""
        start = copy_weights(self.network_)
        others = np.setdiff1d(np.arange(len(learn)), held)
        stop = learn.rows(held)
        progress = self._tune(learn.rows(others), stop, until=0.5 if self.refit else 1.0)
        self._held_back = (held, self._score(stop.windows))
        if self.refit:
            self.network_.load_state_dict(start)
            self._tune(learn, learn.rows(held[:0]), stop_after=progress.best_epoch, begun=0.5)
        return progress

    def _tune(
        self, learn: Examples, stop: Examples, *, stop_after: int = 0, begun: float = 0.0, until: float = 1.0
    ) -> FitState:
        learn = rebalanced(learn, self.imbalance, self.tokens_, np.random.default_rng(self.seed))
        network = self.network_
        steps = -(-len(learn) // self.batch_size)  # of one epoch
        usual_epochs = max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, -(-_STEPS // steps)))
        usual_rate = min(_RATE * (_WIDTH / int(network.head.in_features)) ** 2, _HIGHEST_RATE)
        recipe = Recipe(
            epochs=self.epochs or usual_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate or usual_rate,
            warmup=self.warmup,
            label_smoothing=self.label_smoothing,
            focal=_GAMMA if self.imbalance == FOCAL else 0.0,
            balanced=self.imbalance == BALANCED,
            patience=self.patience,
            seed=self.seed,
        )
        network.start_head(self.task_, learn.targets)
        saved = None
        if self.scratch is not None:
            parts = (recipe, stop_after, learn.windows, learn.targets, stop.windows, stop.targets)
            saved = SavedRun(self.scratch, fingerprint(network, *parts))
        return fine_tune(
            network,
            self.task_,
            learn,
            stop,
            recipe,
            stop_after=stop_after,
            saved=saved,
            tell=lambda done: self.on_progress(begun + (until - begun) * done),
        )

    def _examples(self, dataset: Dataset) -> Examples:
        return tokenised(self.tokens_, dataset.texts, dataset.targets, FitReporter(self.on_progress))

    def held_back(self) -> tuple[IntArray, FloatArray] | None:
        """Return rows (held,) and scores (held, labels) of the documents held back from the first tuning."""
        return self._held_back

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return probabilities (texts, labels), of a long text the mean over its windows."""
        nothing = np.zeros((len(texts), 0), np.float32)
        return self._score(tokenised(self.tokens_, texts, nothing, FitReporter(self.on_progress)).windows)

    def _score(self, texts: Sequence[tuple[Window, ...]]) -> FloatArray:
        return score_windows(self.network_, self.task_, texts, FitReporter(self.on_progress))

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and settings."""
        save_network(self.network_, folder)
        self.tokens_.save(folder)
        content = {
            "task": self.task_.key,
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
        model.task_ = tasks.find_for_documents(content["task"])
        model.network_ = load_network(folder, content["pooling"], content["labels"]).to(best_device())
        model.tokens_ = TokenPreprocessor.load(folder)
        return model

    def module(self) -> OneText:
        """Return the module that the graph is made of, on the processor, where the network is moved to."""
        return OneText(self.network_, self.task_).cpu().eval()

    def export(self, folder: Path) -> Exported:
        """Write the whole classifier as a graph; its input is `input_ids` (windows, tokens) of one text.

        The weights are kept beside it, for comparisons and other formats: an INT8 graph has lost them.
        """
        write_onnx(self.network_, self.task_, folder)
        self.tokens_.save(folder)
        (folder / ORIGINAL).mkdir()
        self.save(folder / ORIGINAL)
        return Exported("tokens")
