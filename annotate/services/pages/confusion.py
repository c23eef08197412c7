"""A version's confusion matrix as a page shows it: labels that are taken for each other stand together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotate.models import Label, ModelVersion
from annotate.services.versions.record import VersionReport
from training.figures import confusion

SHADES = 5  # of a cell, by its share of the documents of its label
MOST_LINKED = 200  # cells of the picture that open their documents; others are drawn only
NEAR = 3


@dataclass(frozen=True, slots=True)
class SpanMistake:
    """Spans of one label that were given another; None where nothing was given, or where there is nothing."""

    label: Label | None
    given: Label | None
    spans: int


@dataclass(frozen=True, slots=True)
class ConfusionCell:
    """Documents of one label that were decided as another one, or as the same where both are equal."""

    row: int
    column: int
    documents: int
    shade: int  # 1 to SHADES
    label: Label
    decided: Label

    @property
    def is_right(self) -> bool:
        return self.row == self.column


@dataclass(frozen=True, slots=True)
class NamedBlock:
    """Labels that stand together and are taken for each other, with their part of the matrix in rows."""

    labels: tuple[Label, ...]
    rows: tuple[tuple[Label, tuple[ConfusionCell | None, ...]], ...]
    mistakes: int


@dataclass(frozen=True, slots=True)
class ConfusionPicture:
    """The matrix in its order: cells that hold something, the worst mistakes apart as they can be opened.

    Of few labels one block is the whole matrix, so that no picture is needed (`is_table`). `near` is the
    share of mistakes within `NEAR` places of the diagonal, None without a mistake.
    """

    labels: tuple[Label, ...]
    linked: tuple[ConfusionCell, ...]
    others: tuple[ConfusionCell, ...]
    blocks: tuple[NamedBlock, ...]
    mistakes: int
    documents: int
    near: float | None

    @property
    def is_table(self) -> bool:
        return len(self.labels) <= confusion.MOST_IN_BLOCK


def mistakes(version: ModelVersion) -> list[SpanMistake]:
    """Return what a version that finds spans takes for something else, the most frequent first."""
    kept = VersionReport.load(version.report).mistakes or ()
    labels = Label.objects.in_bulk({int(key) for true, given, _n in kept for key in (true, given) if key})
    named = [
        SpanMistake(labels.get(int(true or 0)), labels.get(int(given or 0)), spans)
        for true, given, spans in kept
    ]
    return [one for one in named if one.label or one.given]


def picture(version: ModelVersion) -> ConfusionPicture | None:
    """Return the matrix of the version's reporting documents; None where none is stored.

    Labels that are gone are left out, as nobody could open their documents.
    """
    stored = VersionReport.load(version.report).confusion
    if not stored:
        return None
    found = Label.objects.in_bulk(version.label_ids)
    kept = [column for column, pk in enumerate(version.label_ids) if pk in found]
    counts = np.array(stored, np.int64)[np.ix_(kept, kept)]
    if not counts.any():
        return None
    order = confusion.order_labels(counts)
    labels = tuple(found[version.label_ids[kept[column]]] for column in order.tolist())
    ordered = counts[np.ix_(order, order)]
    cells = _cells(ordered, labels)
    wrong = sorted((cell for cell in cells.values() if not cell.is_right), key=lambda cell: -cell.documents)
    mistakes = sum(cell.documents for cell in wrong)
    blocks = confusion.worst_blocks(counts, order)
    if len(order) <= confusion.MOST_IN_BLOCK:
        blocks = (confusion.ConfusionBlock(0, len(order), mistakes),)
    return ConfusionPicture(
        labels=labels,
        linked=tuple(wrong[:MOST_LINKED]),
        others=(*(cell for cell in cells.values() if cell.is_right), *wrong[MOST_LINKED:]),
        blocks=tuple(_block(block, labels, cells) for block in blocks),
        mistakes=mistakes,
        documents=int(counts.sum()),
        near=confusion.near_diagonal(counts, order, NEAR),
    )


def _cells(counts: NDArray[np.int64], labels: tuple[Label, ...]) -> dict[tuple[int, int], ConfusionCell]:
    support = np.maximum(counts.sum(axis=1), 1)
    return {
        (i, j): ConfusionCell(
            row=i,
            column=j,
            documents=int(counts[i, j]),
            shade=min(SHADES, 1 + int(SHADES * counts[i, j] / support[i])),
            label=labels[i],
            decided=labels[j],
        )
        for i, j in np.argwhere(counts).tolist()
    }


def _block(
    block: confusion.ConfusionBlock,
    labels: tuple[Label, ...],
    cells: dict[tuple[int, int], ConfusionCell],
) -> NamedBlock:
    places = range(block.start, block.end)
    return NamedBlock(
        labels=tuple(labels[place] for place in places),
        rows=tuple((labels[i], tuple(cells.get((i, j)) for j in places)) for i in places),
        mistakes=block.mistakes,
    )
