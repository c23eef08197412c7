"""Spans by a small head over a frozen encoder's layers, learned within seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.families.fast_spans.head import TaggedWords, TagHead, averaged, fit_heads, standardised
from training.families.fast_spans.whole import fit_whole, mean_of
from training.families.shared.heads import Head, activate
from training.families.shared.span_graphs import read_tag_graph, write_tag_graph
from training.preprocess.word_encoder import WordEncoder
from training.preprocess.word_features import WordFeaturePreprocessor
from training.preprocess.words import Places
from training.spans import SpanDataset, WordScores
from training.tagging.answers import USUAL_BIAS
from training.tagging.bio import tag_count, tags_of
from training.tagging.decode import log_softmax
from training.tagging.ways import usual_way
from training.tasks.joint import halves, schema_of
from training.types import Exported, FloatArray, IntArray, LabelSpec, Schema, TrainingError

FILE = "fast_spans.json"
_HEADS = 6  # each has not seen a sixth of the texts; their mean is again one head
_FEWEST_LEFT_OUT = 40  # texts; of fewer every head sees all


class FastSpansModel:
    """Tags words by softmax regression over three layers, the neighbours' middle layer and word shape.

    Labels of whole texts, where the task has some, come of the mean of the same features.
    """

    usual_bias = USUAL_BIAS

    def __init__(self, *, encoder: WordEncoder, way: str = "", seed: int = 0) -> None:
        """Take the encoder; `way` is how texts are cut, "" for what suits the spans that are learned."""
        self.encoder = encoder
        self.way = way
        self.seed = seed

    def fit(self, dataset: SpanDataset, *, valid: SpanDataset) -> Self:
        """Learn the head; `valid` is not used."""
        if not any(dataset.spans):
            raise TrainingError("No text has a span, so there is nothing to learn from; label some.")
        self.labels_ = schema_of(dataset)
        self.whole_, self.schema_ = halves(self.labels_)
        self.way_ = self.way or dataset.way or usual_way(dataset)
        self.prepared_ = WordFeaturePreprocessor(self.way_, self.encoder.fingerprint)
        words, places = self._read(dataset)
        every = np.arange(len(dataset))
        parts = np.array_split(np.random.default_rng(self.seed).permutation(every), _HEADS)
        if len(dataset) < _FEWEST_LEFT_OUT:
            parts = [every[:0]] * _HEADS
        heads = fit_heads(words, parts, self._tags, seed=self.seed)
        self.head_ = averaged(heads)
        self._targets = None if dataset.labels is None else dataset.labels.targets
        self.whole_head_ = self._fit_whole(every)
        found = []
        for head, part in zip(heads, parts, strict=True):
            whole = self._fit_whole(np.setdiff1d(every, part)) if len(part) else None
            for i in part.tolist():
                labels = self._labels_of(whole, self._means[i], bool(len(places[i])))
                found.append(WordScores(places[i], log_softmax(words.logits(head, i)), labels))
        self._held_back = np.concatenate(parts), found
        return self

    def _fit_whole(self, texts: IntArray) -> Head | None:
        """Return the head of labels of whole texts that these texts teach, None where the task has none."""
        if self._targets is None:
            return None
        return fit_whole(self.whole_.task, self._means[texts], self._targets[texts])

    def _labels_of(self, whole: Head | None, mean: FloatArray, has_words: bool) -> FloatArray:
        """Return probabilities (labels,) by the mean of a text's features; 0 where it has no word."""
        if whole is None or not has_words:
            return np.zeros(len(self.whole_), np.float32)
        return np.asarray(activate(self.whole_.task, whole.logits(mean[None]))[0], np.float32)

    @property
    def _tags(self) -> int:
        return tag_count(len(self.schema_))

    def _read(self, dataset: SpanDataset) -> tuple[TaggedWords, list[Places]]:
        columns: dict[str | int, int] = {key: j for j, key in enumerate(dataset.schema.keys)}
        features, tags, places, means = [], [], [], []
        for feed, spans in zip(
            self.prepared_.feeds(dataset.texts, encoder=self.encoder), dataset.spans, strict=True
        ):
            features.append(feed.feed["features"].astype(np.float16))
            means.append(mean_of(feed.feed["features"].astype(np.float32)))
            tags.append(tags_of(spans, feed.places, columns))
            places.append(feed.places)
        self._means = np.array(means, np.float32)  # (texts, features)
        lengths = np.array([len(part) for part in tags], np.int64)
        return standardised(np.concatenate(features), np.concatenate(tags), lengths), places

    def word_scores(self, texts: Sequence[str]) -> list[WordScores]:
        """Return log probabilities of each text's words, and probabilities of its labels."""
        return self._scored(self.head_, self.whole_head_, texts)

    def _scored(self, head: TagHead, whole: Head | None, texts: Sequence[str]) -> list[WordScores]:
        found = []
        for feed in self.prepared_.feeds(texts, encoder=self.encoder):
            features = feed.feed["features"].astype(np.float32)
            labels = self._labels_of(whole, mean_of(features), bool(len(features)))
            found.append(WordScores(feed.places, log_softmax(head.logits(features)), labels))
        return found

    def held_back(self) -> tuple[IntArray, list[WordScores]]:
        """Return all texts, each with what the head says that did not see it; none where texts are few."""
        return self._held_back

    def save(self, folder: Path) -> None:
        """Write the head, the labels and how texts are read."""
        write_tag_graph(folder, self.head_.weights, self.head_.bias, self.whole_head_)
        self.prepared_.save(folder)
        content = {"schema": self.labels_.dump(), "way": self.way_, "seed": self.seed}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: WordEncoder) -> Self:
        """Read what `save` wrote; the encoder has to be the one that the head was learned with."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        model = cls(encoder=encoder, way=content["way"], seed=content["seed"])
        labels = tuple(LabelSpec(**label) for label in content["schema"]["labels"])
        model.labels_ = Schema(tasks.find(content["schema"]["task"]), labels)
        model.whole_, model.schema_ = halves(model.labels_)
        model.way_ = model.way
        model.prepared_ = WordFeaturePreprocessor.load(folder)
        weights, bias, model.whole_head_ = read_tag_graph(folder)
        model.head_ = TagHead(weights, bias)
        return model

    def export(self, folder: Path) -> Exported:
        """Write the head as `model.onnx`; the bundle needs the encoder beside it."""
        write_tag_graph(folder, self.head_.weights, self.head_.bias, self.whole_head_)
        self.prepared_.save(folder)
        return Exported("word_features", encoder=self.encoder.fingerprint)
