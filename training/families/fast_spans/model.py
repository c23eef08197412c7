"""Spans by a small head over a frozen encoder's layers, learned within seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.families.fast_spans.head import TaggedWords, TagHead, averaged, fit_head, standardised
from training.families.shared.span_graphs import read_tag_graph, write_tag_graph
from training.preprocess.word_encoder import WordEncoder
from training.preprocess.word_features import WordFeaturePreprocessor
from training.spans import SpanDataset, WordScores
from training.tagging.answers import USUAL_BIAS
from training.tagging.bio import tag_count, tags_of
from training.tagging.decode import log_softmax
from training.tagging.ways import usual_way
from training.types import Exported, IntArray, LabelSpec, Schema, TrainingError

FILE = "fast_spans.json"
_HEADS = 3  # their mean is again one head; on WNUT17 with 1,000 texts it is better by .007
_HELD = 4  # each fourth text is scored by a head that did not see it
_FEWEST_HELD = 40  # texts; a quarter of fewer tells nothing


class FastSpansModel:
    """Tags words by softmax regression over three layers, the neighbours' middle layer and word shape."""

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
        self.schema_ = dataset.schema
        self.way_ = self.way or dataset.way or usual_way(dataset)
        self.prepared_ = WordFeaturePreprocessor(self.way_, self.encoder.fingerprint)
        self._words = self._read(dataset)
        texts = np.arange(len(dataset))
        self.head_ = averaged(
            [fit_head(self._words, texts, self._tags, seed=self.seed + 1_000 * i) for i in range(_HEADS)]
        )
        self._texts = dataset.texts
        return self

    @property
    def _tags(self) -> int:
        return tag_count(len(self.schema_))

    def _read(self, dataset: SpanDataset) -> TaggedWords:
        columns: dict[str | int, int] = {key: j for j, key in enumerate(dataset.schema.keys)}
        features, tags = [], []
        for feed, spans in zip(
            self.prepared_.feeds(dataset.texts, encoder=self.encoder), dataset.spans, strict=True
        ):
            features.append(feed.feed["features"].astype(np.float16))
            tags.append(tags_of(spans, feed.places, columns))
        lengths = np.array([len(part) for part in tags], np.int64)
        return standardised(np.concatenate(features), np.concatenate(tags), lengths)

    def word_scores(self, texts: Sequence[str]) -> list[WordScores]:
        """Return log probabilities of each text's words."""
        return [
            WordScores(feed.places, log_softmax(self.head_.logits(feed.feed["features"].astype(np.float32))))
            for feed in self.prepared_.feeds(texts, encoder=self.encoder)
        ]

    def held_back(self) -> tuple[IntArray, list[WordScores]]:
        """Return a quarter of the texts with what a head says that learned the others."""
        count = len(self._texts)
        rows = np.random.default_rng(self.seed).permutation(count)[: count // _HELD]
        if len(rows) * _HELD < _FEWEST_HELD:
            return np.zeros(0, np.int64), []
        rest = np.setdiff1d(np.arange(count), rows)
        head = fit_head(self._words, rest, self._tags, seed=self.seed)
        feeds = self.prepared_.feeds([self._texts[i] for i in rows], encoder=self.encoder)
        found = [
            WordScores(feed.places, log_softmax(head.logits(feed.feed["features"].astype(np.float32))))
            for feed in feeds
        ]
        return rows, found

    def save(self, folder: Path) -> None:
        """Write the head, the labels and how texts are read."""
        write_tag_graph(folder, self.head_.weights, self.head_.bias)
        self.prepared_.save(folder)
        content = {"schema": self.schema_.dump(), "way": self.way_, "seed": self.seed}
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: WordEncoder) -> Self:
        """Read what `save` wrote; the encoder has to be the one that the head was learned with."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        model = cls(encoder=encoder, way=content["way"], seed=content["seed"])
        labels = tuple(LabelSpec(**label) for label in content["schema"]["labels"])
        model.schema_ = Schema(tasks.find(content["schema"]["task"]), labels)
        model.way_ = model.way
        model.prepared_ = WordFeaturePreprocessor.load(folder)
        model.head_ = TagHead(*read_tag_graph(folder))
        return model

    def export(self, folder: Path) -> Exported:
        """Write the head as `model.onnx`; the bundle needs the encoder beside it."""
        write_tag_graph(folder, self.head_.weights, self.head_.bias)
        self.prepared_.save(folder)
        return Exported("word_features", encoder=self.encoder.fingerprint)
