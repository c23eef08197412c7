"""Two versions on the same held-out documents: what each says of them, and how far one is ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from annotate.models import ModelVersion
from annotate.services.versions.loaded_bundles import suited
from training.bundles.cascade import CascadePredictor, open_predictor
from training.bundles.span_predictor import SpanPredictor
from training.figures.evaluate import PairedDifference, paired_bootstrap
from training.runs.cascade_tuning import decided_by_halves
from training.spans import SpanDataset, WordScores
from training.splits import even_and_odd
from training.tagging.answers import Decoder
from training.tagging.figures import paired_difference
from training.tagging.whole import joint_difference
from training.types import Dataset, Objective, Span

Deciding: TypeAlias = tuple[list[int], Decoder, list[WordScores]]
"""Rows of documents, what decides about them, and what was said of their words."""


class GateComparison(ABC):
    """How versions of a project's task are compared on held-out documents.

    Where those are the tuning half, what decides (thresholds, biases, the split of a cascade) was fitted to
    them, for a newer version to more of them. Then each half of them is decided by what the other half sets,
    for both versions alike.
    """

    sentence: str | Promise
    """What was measured, the beginning of a verdict."""

    @abstractmethod
    def said(self, version: ModelVersion) -> Any:
        """Return what a version says of the documents; raises `TrainingError` for one that cannot be read."""

    @abstractmethod
    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        """Return how far what the one said is better than what the other said."""


class DocumentComparison(GateComparison):
    """By macro-F1 of what each document was decided to be."""

    sentence = gettext_lazy(
        "Macro-F1 %(difference)s against version %(n)s on %(documents)s holdout documents "
        "(95 %% interval %(low)s to %(high)s)"
    )

    def __init__(self, documents: Dataset, embedder: Any = None, *, were_tuned_on: bool = False) -> None:
        self._documents, self._embedder, self._were_tuned_on = documents, embedder, were_tuned_on

    def said(self, version: ModelVersion) -> Any:
        predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        aim = Objective(version.project.objective), version.project.objective_value
        if self._were_tuned_on and isinstance(predictor, CascadePredictor):
            return decided_by_halves(predictor, self._documents, *aim, embedder=self._embedder)
        scores = predictor.predict_proba(self._documents.texts, embedder=suited(predictor, self._embedder))
        if not self._were_tuned_on:
            return predictor.schema.task.decide(scores, predictor.thresholds)
        task, targets = self._documents.schema.task, self._documents.targets
        decided = np.zeros(scores.shape, bool)
        for learn, seen in even_and_odd(len(scores)):
            decided[seen] = task.decide(scores[seen], task.tune(scores[learn], targets[learn], *aim))
        return decided

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return paired_bootstrap(self._documents.targets, ours, theirs, np.random.default_rng(0))


class SpanComparison(GateComparison):
    """By micro-F1 of exact spans."""

    sentence = gettext_lazy(
        "Entity F1 %(difference)s against version %(n)s on %(documents)s holdout documents "
        "(95 %% interval %(low)s to %(high)s)"
    )

    def __init__(self, documents: SpanDataset, words: Any = None, *, were_tuned_on: bool = False) -> None:
        self._documents, self._words, self._were_tuned_on = documents, words, were_tuned_on

    def said(self, version: ModelVersion) -> Any:
        return self._spans(self._decoders(version))

    def _spans(self, decoders: Sequence[Deciding]) -> list[tuple[Span, ...]]:
        spans: list[tuple[Span, ...]] = [()] * len(self._documents)
        for rows, decoder, found in decoders:
            for row, own in zip(rows, decoder.spans(found), strict=True):
                spans[row] = own
        return spans

    def _decoders(self, version: ModelVersion) -> list[Deciding]:
        """Return which decoder decides about which documents, and what the bundle says of their words."""
        predictor = SpanPredictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        reads = self._words if self._words and self._words.fingerprint == version.encoder else None
        found = predictor.word_scores(self._documents.texts, encoder=reads)
        if not self._were_tuned_on:
            return [(list(range(len(found))), predictor.decoder, found)]
        decoders = []
        for learn, seen in even_and_odd(len(found)):
            anew = predictor.decoder.tuned_anew([found[i] for i in learn], self._documents.rows(learn))
            decoders.append((seen, anew, [found[i] for i in seen]))
        return decoders

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return paired_difference(self._documents.spans, ours, theirs, np.random.default_rng(0))


class JointComparison(SpanComparison):
    """By the mean of the labels' macro-F1 and of the spans' micro-F1."""

    sentence = gettext_lazy(
        "Joint F1 %(difference)s against version %(n)s on %(documents)s holdout documents "
        "(95 %% interval %(low)s to %(high)s)"
    )

    def said(self, version: ModelVersion) -> Any:
        decoders = self._decoders(version)
        assert self._documents.labels is not None
        decided = np.zeros(self._documents.labels.targets.shape, bool)
        for rows, decoder, found in decoders:
            assert decoder.whole is not None
            decided[rows] = decoder.whole.decide(decoder.whole.scores(found))
        return self._spans(decoders), decided

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return joint_difference(self._documents, ours, theirs, np.random.default_rng(0))


def on(
    documents: Dataset | SpanDataset, encoder: Any = None, *, were_tuned_on: bool = False
) -> GateComparison:
    """Return how versions are compared on these documents; `encoder` gives vectors that are kept."""
    if isinstance(documents, SpanDataset) and documents.labels is not None:
        return JointComparison(documents, encoder, were_tuned_on=were_tuned_on)
    if isinstance(documents, SpanDataset):
        return SpanComparison(documents, encoder, were_tuned_on=were_tuned_on)
    return DocumentComparison(documents, encoder, were_tuned_on=were_tuned_on)
