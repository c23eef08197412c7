"""The labels of a version as a table: their order, their means, and how each came here over versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from annotate.models import ClassMetric, ModelVersion
from annotate.services.pages import overview
from training.figures.evidence import FEWEST_OF_A_LABEL

NEWEST = 20  # versions of a trend
FALLING = "-"  # before the name of a column: the greatest first

SORTS: dict[str, Callable[[ClassMetric], float | str | None]] = {
    "f1": lambda row: row.f1,
    "precision": lambda row: row.precision,
    "recall": lambda row: row.recall,
    "support": lambda row: row.support,
    "label": lambda row: row.label.name.casefold(),
}
WORST_FIRST = "f1"


@dataclass(frozen=True, slots=True)
class ClassTable:
    """A version's labels in the order of `sort`; `weighted_f1` weighs each by its support.

    `trends` has F1 of the version's kind by label, the oldest first and up to this version, where there are
    two at least.
    """

    rows: Sequence[ClassMetric]
    sort: str
    weighted_f1: float | None
    trends: dict[int, tuple[float, ...]]


def table(version: ModelVersion, sort: str = "") -> ClassTable:
    """Return the table, the worst label first where `sort` names no column."""
    rows = overview.class_metrics(version)
    if sort.removeprefix(FALLING) not in SORTS:
        sort = WORST_FIRST
    return ClassTable(_sorted(rows, sort), sort, _weighted(rows), _trends(version))


def _sorted(rows: Sequence[ClassMetric], sort: str) -> list[ClassMetric]:
    """Return rows in order; those without the figure stay last whichever way it goes."""
    value = SORTS[sort.removeprefix(FALLING)]
    known = [(found, row) for row in rows if (found := value(row)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=sort.startswith(FALLING))
    return [*(row for _found, row in known), *(row for row in rows if value(row) is None)]


def _weighted(rows: Sequence[ClassMetric]) -> float | None:
    measured = [(row.f1, row.support) for row in rows if row.f1 is not None]
    support = sum(documents for _f1, documents in measured)
    return sum(f1 * documents for f1, documents in measured) / support if support else None


def _trends(version: ModelVersion) -> dict[int, tuple[float, ...]]:
    alike = version.project.versions.filter(
        family=version.family, variant=version.variant, number__lte=version.number
    )
    newest = list(alike.order_by("-number").values_list("pk", flat=True)[:NEWEST])
    measured = ClassMetric.objects.filter(version__in=newest, support__gte=FEWEST_OF_A_LABEL)
    metrics = measured.exclude(f1=None).order_by("version__number")
    found: dict[int, list[float]] = defaultdict(list)
    for label, f1 in metrics.values_list("label", "f1"):
        found[label].append(f1 or 0.0)
    return {label: tuple(values) for label, values in found.items() if len(values) > 1}
