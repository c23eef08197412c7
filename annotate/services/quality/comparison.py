"""Two versions on the same holdout documents: which is better, where, and what each decides otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models.functions import Left
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from annotate.models import Document, Label, ModelVersion, Project
from annotate.models.documents import Half
from annotate.models.versions import Stage
from annotate.services.documents.spreadsheet import marked
from annotate.services.versions import holdout, publication
from annotate.services.versions.holdout import HoldoutScores, NotScored, Unscored
from training.figures.evaluate import (
    ClassDifference,
    Flips,
    PairedDifference,
    flips,
    paired_bootstrap,
    paired_classes,
)
from training.figures.evidence import FEWEST, FEWEST_OF_A_LABEL, is_enough
from training.figures.thresholds import Decisions
from training.types import FloatArray, IntArray

MOST_LISTED = 50  # flipped documents of one kind that the page lists; the CSV has all
START = 160  # characters of a text that tell one from another
CLASSES, DOCUMENTS = "classes", "documents"
COLUMNS = {
    CLASSES: ("label", "support", "difference", "low", "high", "has_moved"),
    DOCUMENTS: ("document", "external_id", "flip", "annotated", "version", "against"),
}


@dataclass(frozen=True, slots=True)
class ComparedLabel:
    """A label and how far its F1 differs."""

    label: Label
    difference: ClassDifference

    @property
    def is_measured(self) -> bool:
        return self.difference.support >= FEWEST_OF_A_LABEL

    @property
    def has_moved(self) -> bool:
        return self.is_measured and self.difference.has_moved


@dataclass(frozen=True, slots=True)
class FlippedDocument:
    """A document that the two decide differently, with the names of the labels of each side."""

    document: Document
    answered: tuple[str, ...]
    decided: tuple[str, ...]
    against: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """`version` against `other` on `documents` reporting documents; a difference above 0 is for `version`.

    `won` documents are right by `version` alone, `lost` ones by `other` alone.
    """

    version: ModelVersion
    other: ModelVersion
    documents: int
    unscored: tuple[Unscored, Unscored]
    is_part_of_labels: bool
    overall: PairedDifference
    classes: tuple[ComparedLabel, ...]
    flipped: Flips
    _sides: _Sides

    @property
    def moved(self) -> tuple[ComparedLabel, ...]:
        return tuple(one for one in self.classes if one.has_moved)

    def listed(self, rows: IntArray, most: int | None = MOST_LISTED) -> list[FlippedDocument]:
        """Return the documents of some rows, the first `most`, each with the start of its text."""
        return self._sides.told(rows if most is None else rows[:most])


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both versions on the same documents: keys (documents,), and decisions of the labels both know."""

    labels: tuple[Label, ...]
    keys: IntArray
    targets: FloatArray
    ours: Decisions
    theirs: Decisions

    def told(self, rows: IntArray) -> list[FlippedDocument]:
        wanted = [int(key) for key in self.keys[rows]]
        found = Document.objects.filter(pk__in=wanted).annotate(start=Left("text", START)).defer("text")
        documents = found.in_bulk()
        return [
            FlippedDocument(documents[key], *(self._names(one[row]) for one in self._arrays))
            for row, key in zip(rows, wanted, strict=True)
            if key in documents
        ]

    @property
    def _arrays(self) -> tuple[Decisions, Decisions, Decisions]:
        return self.targets > 0, self.ours, self.theirs

    def _names(self, row: NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(self.labels[j].name for j in np.flatnonzero(row))


def counterpart(version: ModelVersion) -> ModelVersion | None:
    """Return what a version is compared with where nobody says: the best so far, else what served before.

    None where the project has no other version whose scores could be there.
    """
    others = version.project.versions.exclude(pk=version.pk).exclude(bundle="")
    published = others.filter(stage=Stage.PUBLISHED).first()
    newest = others.first()
    if newest is None:
        return None
    best = publication.best_so_far(version=version, published=published or newest)
    return (published or newest) if best.pk == version.pk else best


def compare(version: ModelVersion, other: ModelVersion) -> VersionComparison:
    """Compare two versions on the reporting documents that both have scored; raises `NotScored`."""
    if version.pk == other.pk:
        raise NotScored(_("A version is not compared with itself: choose another one."))
    ours, theirs = (holdout.of_version(one).half(Half.REPORTING) for one in (version, other))
    sides = _sides(version.project, ours, theirs, version.label_ids, other.label_ids)
    if not sides.labels:
        raise NotScored(
            _("Versions %(a)s and %(b)s have no label in common.") % {"a": version.number, "b": other.number}
        )
    if not is_enough(len(sides.keys)):
        raise NotScored(
            _("Versions are compared from %(fewest)s holdout documents on; both have scored %(n)s.")
            % {"fewest": FEWEST, "n": len(sides.keys)}
        )
    differences = paired_classes(sides.targets, sides.ours, sides.theirs, np.random.default_rng(0))
    classes = [ComparedLabel(sides.labels[one.column], one) for one in differences]
    return VersionComparison(
        version=version,
        other=other,
        documents=len(sides.keys),
        unscored=(ours.unscored, theirs.unscored),
        is_part_of_labels={*version.label_ids} != {*other.label_ids},
        overall=paired_bootstrap(sides.targets, sides.ours, sides.theirs, np.random.default_rng(0)),
        classes=tuple(sorted(classes, key=_worst_first)),
        flipped=flips(sides.targets, sides.ours, sides.theirs),
        _sides=sides,
    )


def _worst_first(moved: ComparedLabel) -> tuple[bool, float, int]:
    difference = moved.difference.difference
    return not moved.is_measured, 0.0 if difference is None else difference, moved.label.position


def _sides(
    project: Project, ours: HoldoutScores, theirs: HoldoutScores, our_ids: list[int], their_ids: list[int]
) -> _Sides:
    """Bring two versions to the same rows and columns: documents and labels that both know."""
    _keys, our_rows, their_rows = np.intersect1d(ours.keys, theirs.keys, return_indices=True)
    ours, theirs = ours.only(our_rows), theirs.only(their_rows)
    live = project.labels.live().in_bulk()
    both = [pk for pk in our_ids if pk in their_ids and pk in live]
    here, there = [our_ids.index(pk) for pk in both], [their_ids.index(pk) for pk in both]
    return _Sides(
        labels=tuple(live[pk] for pk in both),
        keys=ours.keys,
        targets=ours.targets[:, here],
        ours=ours.decisions[:, here],
        theirs=theirs.decisions[:, there],
    )


def csv_rows(found: VersionComparison, table: str) -> Iterator[Sequence[Any]]:
    """Yield the rows of one of the two tables, its heads first."""
    yield COLUMNS[table]
    if table == CLASSES:
        for moved in found.classes:
            one = moved.difference
            ends = (one.difference, one.low, one.high) if moved.is_measured else ("", "", "")
            yield marked(moved.label.name), one.support, *ends, int(moved.has_moved)
        return
    kinds = {"won": found.flipped.won, "lost": found.flipped.lost, "neither": found.flipped.neither}
    for kind, rows in kinds.items():
        for row in found.listed(rows, most=None):
            names = (marked("; ".join(side)) for side in (row.answered, row.decided, row.against))
            yield row.document.pk, marked(row.document.external_id or ""), kind, *names
