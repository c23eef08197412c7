"""How much of the whole collection each label is, by the holdout and by what the published version says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from annotate.models import Label, ModelVersion, OutOfFoldScore, Project
from annotate.models.documents import Half
from annotate.models.versions import Sample
from annotate.services.documents.spreadsheet import marked
from annotate.services.quality import thresholds
from annotate.services.versions import holdout, samples
from annotate.services.versions.holdout import HoldoutScores, NotScored, Unscored
from training.figures import shares
from training.figures.evidence import FEWEST, is_enough

COLUMNS = ("label", "share", "low", "high", "about", "holdout_low", "holdout_high")


@dataclass(frozen=True, slots=True)
class LabelShare:
    """A label's share of the collection with its interval, `about` how many documents that is.

    `alone_low` and `alone_high` are what the holdout says without a model.
    """

    label: Label
    share: float
    low: float
    high: float
    about: int
    alone_low: float
    alone_high: float


@dataclass(frozen=True, slots=True)
class CollectionShares:
    """The shares of `collection` documents by `holdout` answered ones and `predicted` ones of the pool."""

    version: ModelVersion
    rows: tuple[LabelShare, ...]
    collection: int
    holdout: int
    predicted: int
    unscored: Unscored


def of_project(project: Project) -> CollectionShares:
    """Return the shares, the largest first; raises `NotScored` where they cannot be told."""
    version = project.versions.published().select_related("project").first()
    if version is None:
        raise NotScored(_("This project has no published model yet; label more, then ask again."))
    half = holdout.of_version(version)
    if half.task.has_thresholds:
        # Thresholds were fitted to the other half, so that decisions are righter there than elsewhere.
        half = half.half(Half.REPORTING)
    if not is_enough(len(half.keys)):
        raise NotScored(
            _("Shares are told from %(fewest)s answered holdout documents on; there are %(n)s.")
            % {"fewest": FEWEST, "n": len(half.keys)}
        )
    said = _said_of_pool(version, half)
    found = shares.label_shares(half.targets > 0, half.decisions, said)
    collection = project.documents.count()
    rows = [
        LabelShare(
            label=label,
            share=float(found.share[column]),
            low=float(found.low[column]),
            high=float(found.high[column]),
            about=round(float(found.share[column]) * collection),
            alone_low=float(found.alone_low[column]),
            alone_high=float(found.alone_high[column]),
        )
        for column, label in thresholds.columns(version).items()
    ]
    rows.sort(key=lambda row: (-row.share, row.label.position))
    return CollectionShares(version, tuple(rows), collection, len(half.keys), len(said), half.unscored)


def _said_of_pool(version: ModelVersion, half: HoldoutScores) -> NDArray[np.bool_]:
    """Return decisions (documents, labels) on the sample of the pool.

    Of a document that the version has learned, what it says out of fold is taken: it knows the answer.
    """
    kept = samples.read(version=version, sample=Sample.POOL)
    if kept is None:
        return np.zeros((0, len(version.label_ids)), bool)
    decisions = np.array(half.task.decide(kept.scores, half.thresholds))
    place = {int(key): row for row, key in enumerate(kept.keys)}
    columns = {pk: column for column, pk in enumerate(version.label_ids)}
    held_out = OutOfFoldScore.objects.filter(version=version, document__in=list(place))
    for document, answer in held_out.values_list("document", "answer"):
        decisions[place[document]] = False
        decisions[place[document], [columns[int(pk)] for pk in answer.labels if int(pk) in columns]] = True
    return decisions


def csv_rows(found: CollectionShares) -> Iterator[Sequence[Any]]:
    """Yield the shares, the heads first."""
    yield COLUMNS
    for row in found.rows:
        ends = (row.share, row.low, row.high, row.about, row.alone_low, row.alone_high)
        yield marked(row.label.name), *ends
