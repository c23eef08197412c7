"""Spans by a small head over a frozen encoder's layers, learned within seconds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.families.fast_spans.head import TaggedWords, TagHead, averaged, fit_heads, standardised
from training.families.fast_spans.teaching import one_hot, soft_tags
from training.families.fast_spans.whole import fit_whole, mean_of
from training.families.shared.heads import Head, activate
from training.families.shared.span_graphs import read_tag_graph, write_tag_graph
from training.figures.evaluate import macro_f1
from training.figures.thresholds import DEFAULT
from training.preprocess.word_encoder import WordEncoder
from training.preprocess.word_features import WordFeaturePreprocessor
from training.preprocess.words import Places
from training.spans import SpanDataset, WordScores
from training.tagging.answers import FEWEST_TO_TUNE, IDENTITY, USUAL_BIAS, Decoder, tune
from training.tagging.bio import tags_of
from training.tagging.decode import log_softmax
from training.tagging.figures import entity_f1
from training.tagging.ways import usual_way
from training.tasks.joint import halves, schema_of
from training.types import (
    Exported,
    FloatArray,
    IntArray,
    Json,
    LabelSpec,
    Schema,
    TrainingError,
    mean_of_both,
)

FILE = "fast_spans.json"
_HEADS = 6  # each has not seen a sixth of the texts; their mean is again one head
_FEWEST_LEFT_OUT = 40  # texts; of fewer every head sees all
TAUGHT_WEIGHT = 0.3  # of a text that a teacher labelled, people's have 1; chosen on WNUT17 with 300 texts


@dataclass(frozen=True, slots=True)
class FittedHeads:
    """What was learned, and what is `found` in the texts of these `rows` by heads that have not seen them."""

    head: TagHead
    whole: Head | None
    rows: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    found: list[WordScores] = field(default_factory=list)


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
        self.details_: dict[str, Json] = {}

    def fit(self, dataset: SpanDataset, *, valid: SpanDataset) -> Self:
        """Learn the head; what a teacher said is learned as well where that finds more in `valid`.

        NB: texts that a head has not seen do not tell, as the teacher has: on WNUT17 with 300 texts they
        promised .64 instead of .45 where other texts lost .04.
        """
        if not any(dataset.spans):
            raise TrainingError("No text has a span, so there is nothing to learn from; label some.")
        self.labels_ = schema_of(dataset)
        self.whole_, self.schema_ = halves(self.labels_)
        self.way_ = self.way or dataset.way or usual_way(dataset)
        self.prepared_ = WordFeaturePreprocessor(self.way_, self.encoder.fingerprint)
        self.fitted_ = self._learned(replace(dataset, taught=None))
        if dataset.taught is not None:
            student = self._learned(dataset)
            alone, taught = (self._reached(fitted, valid) for fitted in (self.fitted_, student))
            is_better = alone is not None and taught is not None and taught > alone
            if is_better:
                self.fitted_ = student
            self.details_ = {
                "taught_texts": len(dataset.taught.texts),
                "f1_alone": alone,
                "f1_taught": taught,
                "is_taught": is_better,
            }
        return self

    def _learned(self, dataset: SpanDataset) -> FittedHeads:
        """Return the heads that these texts teach, and what each says of the texts that it has not seen."""
        words, means, places = self._read(dataset)
        texts, people = np.arange(len(means)), np.arange(len(dataset))
        weights = np.where(texts < len(dataset), 1.0, TAUGHT_WEIGHT)
        parts = np.array_split(np.random.default_rng(self.seed).permutation(people), _HEADS)
        if len(dataset) < _FEWEST_LEFT_OUT:
            parts = [people[:0]] * _HEADS
        heads = fit_heads(words, parts, weights, seed=self.seed)
        targets = self._targets(dataset)
        found = []
        for head, part in zip(heads, parts, strict=True):
            rest = np.setdiff1d(texts, part)
            whole = self._fit_whole(means, targets, weights, rest) if len(part) else None
            for i in part.tolist():
                labels = self._labels_of(whole, means[i], bool(len(places[i])))
                found.append(WordScores(places[i], log_softmax(words.logits(head, i)), labels))
        return FittedHeads(
            averaged(heads), self._fit_whole(means, targets, weights, texts), np.concatenate(parts), found
        )

    def _targets(self, dataset: SpanDataset) -> FloatArray | None:
        """Return targets (texts, labels) of whole texts, a teacher's behind people's; None without any."""
        if dataset.labels is None:
            return None
        said = () if dataset.taught is None else dataset.taught.said
        return np.stack([*dataset.labels.targets, *(one.whole for one in said)])

    def _fit_whole(
        self, means: FloatArray, targets: FloatArray | None, weights: FloatArray, texts: IntArray
    ) -> Head | None:
        """Return the head of labels of whole texts that these texts teach, None where the task has none."""
        if targets is None:
            return None
        return fit_whole(self.whole_.task, means[texts], targets[texts], weights[texts])

    def _labels_of(self, whole: Head | None, mean: FloatArray, has_words: bool) -> FloatArray:
        """Return probabilities (labels,) by the mean of a text's features; 0 where it has no word."""
        if whole is None or not has_words:
            return np.zeros(len(self.whole_), np.float32)
        return np.asarray(activate(self.whole_.task, whole.logits(mean[None]))[0], np.float32)

    def _read(self, dataset: SpanDataset) -> tuple[TaggedWords, FloatArray, list[Places]]:
        """Return the words of all texts, the mean (texts, features) of each text's, and their places."""
        columns: dict[str | int, int] = {key: j for j, key in enumerate(dataset.schema.keys)}
        taught = dataset.taught
        texts = dataset.texts if taught is None else dataset.texts + taught.texts
        features, shares, places, means = [], [], [], []
        for i, feed in enumerate(self.prepared_.feeds(texts, encoder=self.encoder)):
            features.append(feed.feed["features"].astype(np.float16))
            means.append(mean_of(feed.feed["features"].astype(np.float32)))
            places.append(feed.places)
            if i < len(dataset):
                shares.append(one_hot(tags_of(dataset.spans[i], feed.places, columns), len(columns)))
            else:
                assert taught is not None
                shares.append(soft_tags(taught.said[i - len(dataset)], feed.places, len(columns)))
        lengths = np.array([len(part) for part in shares], np.int64)
        words = standardised(np.concatenate(features), np.concatenate(shares), lengths)
        return words, np.array(means, np.float32), places

    def _reached(self, fitted: FittedHeads, valid: SpanDataset) -> float | None:
        """Return the F1 on `valid`, joint where the task is; None where it has too few spans to tell."""
        if sum(map(len, valid.spans)) < FEWEST_TO_TUNE:
            return None
        keys, found = valid.schema.keys, self._scored(fitted, valid.texts)
        bias = tune(keys, found, valid.spans, usual=self.usual_bias)
        of_spans = entity_f1(valid.spans, Decoder(keys, bias, IDENTITY).spans(found))
        if valid.labels is None:
            return of_spans
        decided = np.stack([said.whole for said in found]) >= DEFAULT
        return mean_of_both(macro_f1(valid.labels.targets, decided), of_spans)

    def word_scores(self, texts: Sequence[str]) -> list[WordScores]:
        """Return log probabilities of each text's words, and probabilities of its labels."""
        return self._scored(self.fitted_, texts)

    def _scored(self, fitted: FittedHeads, texts: Sequence[str]) -> list[WordScores]:
        found = []
        for feed in self.prepared_.feeds(texts, encoder=self.encoder):
            features = feed.feed["features"].astype(np.float32)
            labels = self._labels_of(fitted.whole, mean_of(features), bool(len(features)))
            found.append(WordScores(feed.places, log_softmax(fitted.head.logits(features)), labels))
        return found

    def held_back(self) -> tuple[IntArray, list[WordScores]]:
        """Return all texts, each with what the head says that did not see it; none where texts are few."""
        return self.fitted_.rows, self.fitted_.found

    def save(self, folder: Path) -> None:
        """Write the head, the labels and how texts are read."""
        write_tag_graph(folder, self.fitted_.head.weights, self.fitted_.head.bias, self.fitted_.whole)
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
        weights, bias, whole = read_tag_graph(folder)
        model.fitted_ = FittedHeads(TagHead(weights, bias), whole)
        return model

    def export(self, folder: Path) -> Exported:
        """Write the head as `model.onnx`; the bundle needs the encoder beside it."""
        write_tag_graph(folder, self.fitted_.head.weights, self.fitted_.head.bias, self.fitted_.whole)
        self.prepared_.save(folder)
        return Exported("word_features", encoder=self.encoder.fingerprint)
