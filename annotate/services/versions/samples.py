"""Scores of a version that are kept, so that pages compare and tune it without its bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from django.db.models import QuerySet

from annotate.models import Document, KeptScores, ModelVersion
from annotate.models.versions import Sample
from training.bundles.cascade import Serving
from training.types import FloatArray, IntArray

MOST = 5_000  # documents of a sample: a share of it is known to a percent


@dataclass(frozen=True, slots=True)
class ScoredDocuments:
    """Documents by their keys (documents,) and what a version says of them (documents, labels).

    `raw` are scores before calibration, None where the version has none of its own. The documents were
    drawn evenly from `population` of them.
    """

    keys: IntArray
    scores: FloatArray
    raw: FloatArray | None
    thresholds: FloatArray
    population: int


@dataclass(frozen=True, slots=True)
class DrawnScores:
    """The scores of documents that were drawn out of `population` ones, as they come."""

    wanted: frozenset[int]
    population: int
    keys: list[int] = field(default_factory=list)
    scores: list[FloatArray] = field(default_factory=list)

    def note(self, keys: Sequence[int], scores: FloatArray) -> None:
        """Take what is said (documents, labels) of those that were drawn."""
        rows = [row for row, key in enumerate(keys) if key in self.wanted]
        self.keys.extend(keys[row] for row in rows)
        self.scores.append(scores[rows])

    def scored(self, predictor: Serving) -> ScoredDocuments:
        """Return all that was noted; a version that is silent about some texts has as many less."""
        nothing = np.zeros((0, len(predictor.schema)), np.float32)
        return ScoredDocuments(
            keys=np.array(self.keys, np.int64),
            scores=np.concatenate([nothing, *self.scores]),
            raw=None,
            thresholds=predictor.thresholds,
            population=self.population,
        )


def draw(documents: QuerySet[Document]) -> DrawnScores:
    """Draw `MOST` of the documents evenly, the same ones as long as there are no others."""
    keys = np.sort(np.fromiter(documents.values_list("pk", flat=True), np.int64))
    chosen = np.random.default_rng(0).permutation(len(keys))[:MOST]
    return DrawnScores(frozenset(keys[chosen].tolist()), len(keys))


def keep(*, version: ModelVersion, sample: Sample, scored: ScoredDocuments) -> None:
    """Store what a version says of a sample, in place of what was stored before."""
    KeptScores.objects.update_or_create(
        version=version,
        sample=sample,
        defaults={
            "documents": scored.keys,
            "scores": scored.scores,
            "raw": scored.raw,
            "thresholds": [float(threshold) for threshold in scored.thresholds],
            "population": scored.population,
        },
    )


def read(*, version: ModelVersion, sample: Sample) -> ScoredDocuments | None:
    """Return what was stored; None where nothing was."""
    row = KeptScores.objects.filter(version=version, sample=sample).first()
    if row is None:
        return None
    shape = (-1, len(version.label_ids))
    return ScoredDocuments(
        keys=row.documents,
        scores=row.scores.reshape(shape),
        raw=None if row.raw is None else row.raw.reshape(shape),
        thresholds=np.array(row.thresholds, np.float32),
        population=row.population,
    )


def copy(*, version: ModelVersion, to: ModelVersion, thresholds: FloatArray) -> None:
    """Keep the same scores of a version that decides by other thresholds."""
    for row in version.kept_scores.all():
        KeptScores.objects.create(
            version=to,
            sample=row.sample,
            documents=row.documents,
            scores=row.scores,
            raw=row.raw,
            thresholds=[float(threshold) for threshold in thresholds],
            population=row.population,
        )
