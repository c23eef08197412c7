"""The thresholds of a version's labels: what each gains and costs, and what another one would change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.db.models.functions import Left
from django.utils.translation import gettext as _

from annotate.models import Document, Label, ModelVersion
from annotate.models.documents import Half
from annotate.models.versions import Sample
from annotate.services.documents.spreadsheet import marked
from annotate.services.quality import traffic
from annotate.services.quality.traffic import NoTraffic, Traffic
from annotate.services.versions import holdout, samples
from annotate.services.versions.holdout import HoldoutScores, NotScored, Unscored
from annotate.services.versions.samples import ScoredDocuments
from training.figures import tradeoff
from training.figures.evidence import FEWEST_OF_A_LABEL
from training.figures.tradeoff import Aim, LabelAt, PrecisionRecall
from training.types import FloatArray, IntArray

MOST_LISTED = 20  # documents of one change that the page lists
START = 160  # characters of a text that tell one from another
COLUMNS = ("label", "threshold", "precision", "recall")


@dataclass(frozen=True, slots=True)
class PoolChange:
    """Documents of a sample of the pool that would get a label or lose it; `listed` are the first of them.

    `about` is how many those would be in the whole pool.
    """

    number: int
    about: int
    listed: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class TrafficChange:
    """Of `asked` texts of programs those whose labels would be others; `listed` are the first of them."""

    asked: int
    number: int
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """A label with its threshold now and the one that is looked at, on the tuning half.

    `gained` and `lost` are of the pool, None where this version has not predicted it.
    """

    label: Label
    before: LabelAt
    after: LabelAt
    gained: PoolChange | None
    lost: PoolChange | None

    @property
    def is_changed(self) -> bool:
        return bool(np.float32(self.before.threshold) != np.float32(self.after.threshold))

    @property
    def is_told_as_counts(self) -> bool:
        return self.before.support < FEWEST_OF_A_LABEL

    @property
    def typed(self) -> str:
        """The threshold as a form holds it: every digit, as a score may be the threshold itself."""
        return str(np.float32(self.after.threshold))


@dataclass(frozen=True, slots=True)
class ThresholdTable:
    """All labels of a version; `documents` of the tuning half, and of the pool `sampled` out of `population`.

    `otherwise` are the documents of the sample whose labels would not be the same. `traffic` tells it of last
    week's texts of programs, once a threshold differs; `no_traffic` says why it cannot be told.
    """

    rows: tuple[ThresholdRow, ...]
    documents: int
    unscored: Unscored
    sampled: int
    population: int
    otherwise: PoolChange | None
    traffic: TrafficChange | None = None
    no_traffic: str = ""

    @property
    def changed(self) -> tuple[ThresholdRow, ...]:
        return tuple(row for row in self.rows if row.is_changed)


def tuning(version: ModelVersion) -> HoldoutScores:
    """Return the half of the holdout that thresholds are set by; raises `NotScored`."""
    scored = holdout.of_version(version)
    if not scored.task.has_thresholds:
        raise NotScored(
            _("A document of this project has one label, that of the best score: no threshold decides.")
        )
    return scored.half(Half.TUNING)


def columns(version: ModelVersion) -> dict[int, Label]:
    """Return the labels that the project still has by their column of the version's scores."""
    live = version.project.labels.live().in_bulk()
    return {column: live[pk] for column, pk in enumerate(version.label_ids) if pk in live}


def by_aim(version: ModelVersion, label: int | None, aim: Aim, value: float) -> dict[int, float]:
    """Return the threshold that serves an aim best, of one label or of each; raises `NotScored`.

    A label without a document on the tuning half keeps its own.
    """
    half = tuning(version)
    found = {}
    for column, one in columns(version).items():
        if label in (None, one.pk) and half.targets[:, column].any():
            scores, targets = half.scores[:, column], half.targets[:, column]
            found[one.pk] = tradeoff.threshold_for(scores, targets, aim, value)
    return found


def table(version: ModelVersion, wanted: Mapping[int, float]) -> ThresholdTable:
    """Return what the wanted thresholds, by label, change; raises `NotScored`."""
    half, named = tuning(version), columns(version)
    new = half.thresholds.copy()
    for column, label in named.items():
        new[column] = wanted.get(label.pk, new[column])
    pool = samples.read(version=version, sample=Sample.POOL)
    rows = tuple(_row(half, pool, column, label, new) for column, label in named.items())
    found = ThresholdTable(
        rows=tuple(sorted(rows, key=lambda row: row.label.position)),
        documents=len(half.keys),
        unscored=half.unscored,
        sampled=0 if pool is None else len(pool.keys),
        population=0 if pool is None else pool.population,
        otherwise=None if pool is None else _otherwise(half, pool, list(named), new),
    )
    if not found.changed:
        return found
    try:
        return replace(found, traffic=_traffic_change(traffic.last_week(version), half, list(named), new))
    except NoTraffic as reason:
        return replace(found, no_traffic=str(reason))


def _row(
    half: HoldoutScores, pool: ScoredDocuments | None, column: int, label: Label, new: FloatArray
) -> ThresholdRow:
    old, wanted = float(half.thresholds[column]), float(new[column])
    found = tradeoff.effect(half.scores[:, column], half.targets[:, column], old, wanted)
    gained = lost = None
    if pool is not None and old != wanted:
        rows = tradeoff.decided_otherwise(pool.scores[:, column], old, wanted)
        gained, lost = (_change(pool, some) for some in rows)
    return ThresholdRow(label, found.before, found.after, gained, lost)


def _otherwise(
    half: HoldoutScores, pool: ScoredDocuments, kept: Sequence[int], new: FloatArray
) -> PoolChange:
    return _change(pool, _decided_otherwise(pool.scores, half, kept, new))


def _traffic_change(
    asked: Traffic, half: HoldoutScores, kept: Sequence[int], new: FloatArray
) -> TrafficChange:
    rows = _decided_otherwise(asked.scores, half, kept, new)
    listed = tuple(asked.texts[row][:START] for row in rows[:MOST_LISTED])
    return TrafficChange(len(asked.texts), len(rows), listed)


def _decided_otherwise(
    scores: FloatArray, half: HoldoutScores, kept: Sequence[int], new: FloatArray
) -> IntArray:
    """Return the rows of scores whose labels, of the columns kept, are other ones by the new thresholds."""
    before, after = (half.task.decide(scores, thresholds)[:, kept] for thresholds in (half.thresholds, new))
    return np.flatnonzero((before != after).any(axis=1))


def _change(pool: ScoredDocuments, rows: IntArray) -> PoolChange:
    keys = [int(key) for key in pool.keys[rows[:MOST_LISTED]]]
    found = Document.objects.filter(pk__in=keys).annotate(start=Left("text", START)).defer("text").in_bulk()
    about = round(len(rows) * pool.population / max(len(pool.keys), 1))
    return PoolChange(len(rows), about, tuple(found[key] for key in keys if key in found))


def curve(version: ModelVersion, label: Label) -> PrecisionRecall | None:
    """Return a label's curve on the tuning half; None where it has no document there, or no column."""
    half = tuning(version)
    column = next((at for at, one in columns(version).items() if one.pk == label.pk), None)
    if column is None or not half.targets[:, column].any():
        return None
    return tradeoff.precision_recall(half.scores[:, column], half.targets[:, column])


def csv_rows(version: ModelVersion) -> Iterator[Sequence[Any]]:
    """Yield the curves of all labels, the heads first; raises `NotScored`."""
    half = tuning(version)
    yield COLUMNS
    for column, label in columns(version).items():
        found = tradeoff.precision_recall(half.scores[:, column], half.targets[:, column])
        for at in zip(found.thresholds, found.precision, found.recall, strict=True):
            yield marked(label.name), *(float(value) for value in at)
