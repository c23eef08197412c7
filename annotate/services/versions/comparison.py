"""Two versions on the same held-out documents: what each says of them, and how far one is ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from annotate.models import ModelVersion
from annotate.services.versions.loaded_bundles import suited
from training.bundles.cascade import open_predictor
from training.bundles.span_predictor import SpanPredictor
from training.figures.evaluate import PairedDifference, paired_bootstrap
from training.spans import SpanDataset
from training.tagging.figures import paired_difference
from training.types import Dataset


class GateComparison(ABC):
    """How versions of a project's task are compared on the reporting documents."""

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

    def __init__(self, reporting: Dataset, embedder: Any = None) -> None:
        self._reporting, self._embedder = reporting, embedder

    def said(self, version: ModelVersion) -> Any:
        predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        scores = predictor.predict_proba(self._reporting.texts, embedder=suited(predictor, self._embedder))
        return predictor.schema.task.decide(scores, predictor.thresholds)

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return paired_bootstrap(self._reporting.targets, ours, theirs, np.random.default_rng(0))


class SpanComparison(GateComparison):
    """By micro-F1 of exact spans."""

    sentence = gettext_lazy(
        "Entity F1 %(difference)s against version %(n)s on %(documents)s holdout documents "
        "(95 %% interval %(low)s to %(high)s)"
    )

    def __init__(self, reporting: SpanDataset, words: Any = None) -> None:
        self._reporting, self._words = reporting, words

    def said(self, version: ModelVersion) -> Any:
        predictor = SpanPredictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        reads = self._words if self._words and self._words.fingerprint == version.encoder else None
        return predictor.decoder.spans(predictor.word_scores(self._reporting.texts, encoder=reads))

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return paired_difference(self._reporting.spans, ours, theirs, np.random.default_rng(0))


def on(reporting: Dataset | SpanDataset, encoder: Any = None) -> GateComparison:
    """Return how versions are compared on these documents; `encoder` gives vectors that are kept."""
    if isinstance(reporting, SpanDataset):
        return SpanComparison(reporting, encoder)
    return DocumentComparison(reporting, encoder)
