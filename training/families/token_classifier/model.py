"""A pretrained encoder tuned as a whole to tag words: the most accurate of spans, and slow to train."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch

from training import tasks
from training.encoders.checkpoints import find_checkpoint
from training.families.shared.batches import pad, sorted_batches
from training.families.shared.devices import best_device
from training.families.shared.imbalance import (
    BALANCED,
    NONE,
    balanced_weights,
    balanced_worth,
    check_imbalance,
)
from training.families.shared.network import ensure_tokenizer, longest_input, read_network, tokens_a_second
from training.families.shared.state import SavedRun, copy_weights, fingerprint
from training.families.shared.steps import FitReporter
from training.families.token_classifier.finetune import TaggedPieces, TaggerRecipe, tune_tagger, windows_of
from training.families.token_classifier.network import (
    TokenTagger,
    load_tagger,
    save_tagger,
    write_tagger_graph,
)
from training.preprocess.tokens import read_tokenizer
from training.preprocess.word_features import WordFeed
from training.preprocess.word_pieces import PieceSettings, WordPiecePreprocessor
from training.spans import SpanDataset, WordScores
from training.tagging.answers import is_enough_to_tune
from training.tagging.bio import tag_count, tags_of
from training.tagging.decode import log_softmax
from training.tagging.ways import usual_way
from training.tasks.joint import halves, schema_of
from training.types import Exported, FloatArray, IntArray, LabelSpec, Schema, TrainingError

_FILE = "token_classifier.json"
IMBALANCES = (NONE, BALANCED)
# With 20 epochs, 300 texts of WNUT17 brought no span at all (dev F1 0), with 60 a dev F1 of .33.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 1_000, 4, 60
# Up to so many texts each is read twice, and the two readings are to agree: more would take too long.
_FEW, _AGREEMENT = 2_000, 1.0
_RATE, _TEXTS, _FASTEST = 2e-4, 3_400, 2.5  # few texts need a higher rate, up to so many times
_HELD_BACK, _FEWEST_HELD = 10, 30
_AT_ONCE = 16
_SURELY_NOTHING = -30.0


class TokenClassifierModel:
    """Fine-tunes a checkpoint on BIO tags; the first piece of a word carries its tag.

    Labels of whole texts, where the task has some, are learned by a second head in the same passes. Where
    `valid` has too few spans to tune a decoder on, a tenth of the texts is learned in the last epoch
    alone, and scored before. Zero lets the family choose `epochs` and `learning_rate` by the number of texts.

    Where labels are rare, `imbalance` "balanced" lets the labels of spans count alike in the loss, words in
    no span as before, and a whole text's yes to a label as much in all as its no.
    """

    usual_bias = 1.0

    def __init__(
        self,
        *,
        seed: int = 0,
        scratch: Path | None = None,
        checkpoint: str = "sentence-transformers/all-MiniLM-L6-v2",
        way: str = "",
        max_length: int = 128,
        epochs: int = 0,
        batch_size: int = 16,
        learning_rate: float = 0.0,
        imbalance: str = NONE,
        int8: bool = True,
    ) -> None:
        """Store the settings; in `scratch` a killed run leaves what the next one goes on from.

        `way` is how texts are cut into words, "" for what suits the spans.
        """
        self.seed = seed
        self.scratch = scratch
        self.checkpoint = checkpoint
        self.way = way
        self.max_length = max_length
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.imbalance = imbalance
        self.int8 = int8
        self.on_progress: Callable[[float], None] = lambda done: None

    def fit(self, dataset: SpanDataset, *, valid: SpanDataset) -> Self:
        """Tune the network; `valid` only decides whether texts have to be held back."""
        check_imbalance(self.imbalance, IMBALANCES, "token_classifier")
        if not any(dataset.spans):
            raise TrainingError("No text has a span, so there is nothing to learn from; label some.")
        self._take_labels(schema_of(dataset))
        # Dropout and heads are drawn from a seed of our own, and PyTorch's global state stays as it was.
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self._read_checkpoint(self.way or dataset.way or usual_way(dataset))
            self._tune(dataset, valid)
        return self

    def _tune(self, dataset: SpanDataset, valid: SpanDataset) -> None:
        rows = np.random.default_rng(self.seed).permutation(len(dataset))
        held = rows[: len(rows) // _HELD_BACK]
        if len(held) < _FEWEST_HELD or is_enough_to_tune(valid):
            held = rows[:0]
        learn = dataset.rows(np.setdiff1d(rows, held).tolist())
        windows, late = self._windows(learn), self._windows(dataset.rows(held.tolist()))
        count = len(windows) + len(late)
        steps = -(-count // self.batch_size)  # of one epoch
        recipe = TaggerRecipe(
            epochs=self.epochs or max(_FEWEST_EPOCHS, min(_MOST_EPOCHS, -(-_STEPS // steps))),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate or _RATE * min(_FASTEST, max(1.0, _TEXTS / count)),
            seed=self.seed,
            tag_weights=balanced_tags(dataset) if self.imbalance == BALANCED else (),
            agreement=_AGREEMENT if count <= _FEW else 0.0,
        )
        saved = None
        if self.scratch is not None:
            saved = SavedRun(self.scratch, fingerprint(self.network_, recipe, windows, late))
        unseen = tune_tagger(self.network_, windows, recipe, late=late, saved=saved, tell=self.on_progress)
        self._held: tuple[IntArray, list[WordScores]] = held, []
        if len(held):
            learned = copy_weights(self.network_)
            self.network_.load_state_dict(unseen)
            self._held = held, self.word_scores([dataset.texts[i] for i in held])
            self.network_.load_state_dict(learned)
        self.details_ = {
            "checkpoint": self.checkpoint, "epochs": recipe.epochs, "learning_rate": recipe.learning_rate,
            "held_back": len(held),
        }  # fmt: skip

    def _take_labels(self, labels: Schema) -> None:
        """Keep the labels of all answers, and apart from each other those of whole texts and of spans."""
        self.labels_ = labels
        self.whole_, self.schema_ = halves(labels)

    def _windows(self, dataset: SpanDataset) -> list[TaggedPieces]:
        columns: dict[str | int, int] = {key: j for j, key in enumerate(dataset.schema.keys)}
        whole: list[Sequence[float]] = [()] * len(dataset)
        worth = whole
        if dataset.labels is not None:
            whole = dataset.labels.targets.tolist()
            if self.imbalance == BALANCED:
                task = dataset.labels.schema.task
                worth = balanced_weights(task, dataset.labels.targets).tolist()
        feeds = zip(self._feeds(dataset.texts), dataset.spans, whole, worth, strict=True)
        found = (
            windows_of(feed, tags_of(spans, feed.places, columns), of, counts)
            for feed, spans, of, counts in feeds
        )
        return [window for windows in found for window in windows]

    def _feeds(self, texts: Sequence[str]) -> Iterator[WordFeed]:
        tell = FitReporter(self.on_progress)
        for feed in self.pieces_.feeds(texts):
            tell()
            yield feed

    def _read_checkpoint(self, way: str) -> None:
        """Read network and tokenizer of the checkpoint; windows are as long as both allow."""
        found = find_checkpoint(self.checkpoint)
        read = read_network(found, 1)
        with tempfile.TemporaryDirectory() as scratch:
            tokenizer = read_tokenizer(ensure_tokenizer(found, Path(scratch)))
        length = min(self.max_length, longest_input(read))
        self.pieces_ = WordPiecePreprocessor(tokenizer, PieceSettings(way, length, length // 4))
        network = TokenTagger(read.encoder, tag_count(len(self.schema_)), len(self.whole_))
        self.network_ = network.to(best_device())

    def held_back(self) -> tuple[IntArray, list[WordScores]]:
        """Return rows of the texts that were held back, and what is said of them."""
        return self._held

    def word_scores(self, texts: Sequence[str]) -> list[WordScores]:
        """Return log probabilities of each text's words, and probabilities of its labels."""
        feeds = list(self._feeds(texts))
        windows = [window for feed in feeds for window in zip(*self._arrays(feed), strict=True)]
        logits = [np.zeros(0, np.float32)] * len(windows)
        whole = np.zeros((len(windows), len(self.whole_)), np.float32)
        device = self.network_.head.weight.device
        lengths = np.array([len(ids) for ids, _shapes in windows], np.int64)
        at_once = max(1, min(_AT_ONCE, tokens_a_second(self.network_.encoder) // int(lengths.max(initial=1))))
        tell = FitReporter(self.on_progress)
        self.network_.eval()
        for rows in sorted_batches(lengths, at_once):
            tell()
            ids, mask = pad([windows[i][0] for i in rows], 0)
            shapes, _ = pad([windows[i][1] for i in rows], 0)
            with torch.no_grad():
                arrays = (torch.from_numpy(array).to(device) for array in (ids, shapes, mask))
                found, *labels = (given.cpu() for given in self.network_(*arrays))
            for i, row in zip(rows, found.numpy(), strict=True):
                logits[i] = row[: lengths[i]]
            for said in labels:
                whole[rows] = torch.sigmoid(said).numpy()
        scores, at = [], 0
        for feed in feeds:
            count = len(feed.feed["input_ids"])
            scores.append(self._scored(feed, logits[at : at + count], whole[at : at + count]))
            at += count
        return scores

    def _arrays(self, feed: WordFeed) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
        ids, shapes = ([tuple(map(int, row)) for row in feed.feed[name]] for name in ("input_ids", "shapes"))
        return ids, shapes

    def _scored(self, feed: WordFeed, logits: Sequence[FloatArray], whole: FloatArray) -> WordScores:
        logs = np.full((len(feed.places), tag_count(len(self.schema_))), _SURELY_NOTHING)
        logs[:, 0] = 0.0
        read = feed.rows >= 0
        if read.any():
            logs[read] = log_softmax(np.concatenate(logits)[feed.rows[read]])
        said = whole.mean(axis=0) if len(feed.places) else np.zeros(len(self.whole_), np.float32)
        return WordScores(feed.places, logs, said)

    def save(self, folder: Path) -> None:
        """Write weights, tokenizer and settings."""
        save_tagger(self.network_, folder)
        self.pieces_.save(folder)
        content = {"schema": self.labels_.dump(), "int8": self.int8}
        (folder / _FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        model = cls(int8=content["int8"])
        labels = tuple(LabelSpec(**label) for label in content["schema"]["labels"])
        model._take_labels(Schema(tasks.find(content["schema"]["task"]), labels))
        model.pieces_ = WordPiecePreprocessor.load(folder)
        network = load_tagger(folder, tag_count(len(model.schema_)), len(model.whole_))
        model.network_ = network.to(best_device())
        return model

    def export(self, folder: Path) -> Exported:
        """Write the whole tagger as a graph."""
        write_tagger_graph(self.network_, folder)
        self.pieces_.save(folder)
        return Exported("word_pieces")


def balanced_tags(dataset: SpanDataset) -> tuple[float, ...]:
    """Return weights (tags,) by which spans of every label count alike; their mean over the spans is 1.

    A word in no span keeps 1: spans are found or not by a bias, which is tuned. A label without spans has 1.
    """
    columns = {key: j for j, key in enumerate(dataset.schema.keys)}
    labels = np.array([columns[str(span.label)] for spans in dataset.spans for span in spans], np.int64)
    counts = np.bincount(labels, minlength=len(columns)).astype(np.float32)
    worth = np.where(counts > 0, balanced_worth(counts), 1)
    return (1.0, *np.repeat(worth, 2).tolist())
