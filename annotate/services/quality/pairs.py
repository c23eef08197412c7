"""Labels that the mistakes of a version join, where a document has any number of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from annotate.models import Label, ModelVersion
from annotate.models.documents import Half
from annotate.services.quality import thresholds
from annotate.services.versions import holdout
from annotate.services.versions.holdout import NotScored
from training.figures import confusion
from training.types import IntArray

MOST = 10  # pairs of one kind


@dataclass(frozen=True, slots=True)
class JoinedPair:
    """Two labels and how many documents of the reporting half they share in one way."""

    one: Label
    other: Label
    documents: int


@dataclass(frozen=True, slots=True)
class JoinedLabels:
    """Pairs that are missed together, added together, or of which one is missed and the other added."""

    missed: tuple[JoinedPair, ...]
    added: tuple[JoinedPair, ...]
    swapped: tuple[JoinedPair, ...]


def of_version(version: ModelVersion) -> JoinedLabels | None:
    """Return the pairs; None where documents have one label, or nothing is kept of the holdout."""
    if not version.project.task_type.shows_thresholds:
        return None
    try:
        half = holdout.of_version(version).half(Half.REPORTING)
    except NotScored:
        return None
    named = thresholds.columns(version)
    found = confusion.together(half.targets > 0, half.decisions)
    return JoinedLabels(*(_named(counts, named) for counts in (found.missed, found.added, found.swapped)))


def _named(counts: IntArray, named: Mapping[int, Label]) -> tuple[JoinedPair, ...]:
    return tuple(
        JoinedPair(named[pair.one], named[pair.other], pair.documents)
        for pair in confusion.worst_pairs(counts, MOST)
        if pair.one in named and pair.other in named
    )
