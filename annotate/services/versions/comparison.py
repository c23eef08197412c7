"""Two versions on the same held-out documents: what each says of them, and how far one is ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from annotate.models import ModelVersion, Project
from annotate.services.versions.loaded_bundles import suited
from training.bundles.cascade import open_predictor
from training.bundles.span_predictor import SpanPredictor
from training.figures.evaluate import PairedDifference, paired_bootstrap
from training.spans import SpanDataset
from training.tagging.figures import paired_difference
from training.tagging.whole import joint_difference
from training.types import Dataset, FloatArray, Objective


class GateComparison(ABC):
    """How versions of a project's task are compared on held-out documents."""

    sentence: str | Promise
    """What was measured, the beginning of a verdict."""

    @abstractmethod
    def said(self, version: ModelVersion) -> Any:
        """Return what a version says of the documents; raises `TrainingError` for one that cannot be read."""

    @abstractmethod
    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        """Return how far what the one said is better than what the other said."""


class DocumentComparison(GateComparison):
    """By macro-F1 of what each document was decided to be.

    `were_tuned_on`: thresholds were fitted to these documents, of a newer version to more of them. Then each
    half of them is decided by thresholds that the other half sets, for both versions alike.
    """

    sentence = gettext_lazy(
        "Macro-F1 %(difference)s against version %(n)s on %(documents)s holdout documents "
        "(95 %% interval %(low)s to %(high)s)"
    )

    def __init__(self, documents: Dataset, embedder: Any = None, *, were_tuned_on: bool = False) -> None:
        self._documents, self._embedder, self._were_tuned_on = documents, embedder, were_tuned_on

    def said(self, version: ModelVersion) -> Any:
        predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        scores = predictor.predict_proba(self._documents.texts, embedder=suited(predictor, self._embedder))
        if self._were_tuned_on and self._documents.schema.task.has_thresholds:
            return self._decided_anew(version.project, scores)
        return predictor.schema.task.decide(scores, predictor.thresholds)

    def _decided_anew(self, project: Project, scores: FloatArray) -> NDArray[np.bool_]:
        task, targets = self._documents.schema.task, self._documents.targets
        decided = np.zeros(scores.shape, bool)
        half = np.arange(len(scores)) % 2
        for one in (0, 1):
            learn, seen = half != one, half == one
            aim = Objective(project.objective), project.objective_value
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

    def __init__(self, documents: SpanDataset, words: Any = None) -> None:
        self._documents, self._words = documents, words

    def said(self, version: ModelVersion) -> Any:
        decoder, found = self._found(version)
        return decoder.spans(found)

    def _found(self, version: ModelVersion) -> tuple[Any, Any]:
        """Return a version's decoder, and what its bundle says of the words of each document."""
        predictor = SpanPredictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        reads = self._words if self._words and self._words.fingerprint == version.encoder else None
        return predictor.decoder, predictor.word_scores(self._documents.texts, encoder=reads)

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return paired_difference(self._documents.spans, ours, theirs, np.random.default_rng(0))


class JointComparison(SpanComparison):
    """By the mean of the labels' macro-F1 and of the spans' micro-F1."""

    sentence = gettext_lazy(
        "Joint F1 %(difference)s against version %(n)s on %(documents)s holdout documents "
        "(95 %% interval %(low)s to %(high)s)"
    )

    def said(self, version: ModelVersion) -> Any:
        decoder, found = self._found(version)
        return decoder.spans(found), decoder.whole.decide(decoder.whole.scores(found))

    def difference(self, ours: Any, theirs: Any) -> PairedDifference:
        return joint_difference(self._documents, ours, theirs, np.random.default_rng(0))


def on(
    documents: Dataset | SpanDataset, encoder: Any = None, *, were_tuned_on: bool = False
) -> GateComparison:
    """Return how versions are compared on these documents; `encoder` gives vectors that are kept."""
    if isinstance(documents, SpanDataset) and documents.labels is not None:
        return JointComparison(documents, encoder)
    if isinstance(documents, SpanDataset):
        return SpanComparison(documents, encoder)
    return DocumentComparison(documents, encoder, were_tuned_on=were_tuned_on)
