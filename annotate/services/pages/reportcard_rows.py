"""A stored report card as its page shows it, each candidate with its version as it is now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from annotate.models import Label, ModelVersion, ReportCard
from annotate.models.runs import RunKind
from training.figures.evidence import FEWEST, FEWEST_OF_A_LABEL, Figure, is_enough

CLEARLY_FASTER = 2.0  # times; a smaller gain is not worth a second model


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """One candidate; `content` is a candidate of the card, `version` what it is now."""

    content: Mapping[str, Any]
    version: ModelVersion | None
    gap: Mapping[str, Any] | None
    ruled_out: tuple[str, ...]
    is_recommended: bool
    is_best: bool

    @property
    def ends(self) -> tuple[float | None, float | None, float | None]:
        """The figure that it is judged by, and the ends of its interval."""
        found = self.content["evaluation"] or {}
        name = found.get("judged_by", "macro_f1")
        return found.get(name), found.get(f"{name}_low"), found.get(f"{name}_high")

    @property
    def f1(self) -> float | None:
        return self.ends[0]

    @property
    def size(self) -> int:
        return int(self.content["bundle_bytes"] + self.content["encoder_bytes"])

    @property
    def can_be_published(self) -> bool:
        return self.version is not None and bool(self.version.bundle) and self.version.stage != "published"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions that are worth combining."""

    cheap: ModelVersion
    strong: ModelVersion


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One label's F1 by each measured candidate, in the order of the rows; none is "not measurable yet"."""

    label: Label
    support: int
    scores: tuple[Figure, ...]

    @property
    def is_told_as_interval(self) -> bool:
        """Tell whether a single number would promise more than the label's few documents hold."""
        return self.support < FEWEST_OF_A_LABEL


def shown(card: ReportCard) -> Mapping[str, Any]:
    """Return what the card may say: one that an earlier site measured on too few documents has no figures."""
    content: Mapping[str, Any] = card.content
    if is_enough(content["documents"]):
        return content
    nobody: dict[str, Any] = {"name": None, "best": None, "gaps": [], "ruled_out": {}}
    nothing = nobody | {"reason": _too_few(card)}
    candidates = [one | {"evaluation": None, "reliability": []} for one in content["candidates"]]
    return {**content, "candidates": candidates, "recommendation": nothing, "quantised": []}


def _too_few(card: ReportCard) -> str:
    return _(
        "Nothing is recommended: models are compared from %(fewest)s holdout documents on; there are "
        "%(documents)s so far."
    ) % {"fewest": FEWEST, "documents": card.content["documents"]}


def rows(card: ReportCard) -> list[CandidateRow]:
    """Return the candidates, the most accurate first and those without figures last."""
    content = shown(card)
    numbers, chosen = content["versions"], content["recommendation"]
    versions = {
        version.number: version for version in card.project.versions.filter(number__in=numbers.values())
    }
    gaps = {gap["name"]: gap for gap in chosen["gaps"]}
    found = [
        CandidateRow(
            content=one,
            version=versions.get(numbers.get(one["name"])),
            gap=gaps.get(one["name"]),
            ruled_out=tuple(chosen["ruled_out"].get(one["name"], ())) if not one["problem"] else (),
            is_recommended=one["name"] == chosen["name"],
            is_best=one["name"] == chosen["best"],
        )
        for one in content["candidates"]
    ]
    return sorted(found, key=lambda row: -1.0 if row.f1 is None else row.f1, reverse=True)


def measured(candidates: Iterable[CandidateRow]) -> list[CandidateRow]:
    return [row for row in candidates if row.f1 is not None]


def per_label(card: ReportCard, candidates: Iterable[CandidateRow]) -> list[LabelRow]:
    """Return each label's F1 by each measured candidate, the label that the best one finds hardest first."""
    documents = card.content["documents"]
    columns = [row.content["evaluation"]["per_class"] for row in measured(candidates)]
    if not columns:
        return []
    labels = Label.objects.filter(project=card.project_id).in_bulk(int(one["key"]) for one in columns[0])
    found = [
        LabelRow(
            label,
            each[0]["support"],
            tuple(Figure.of(one["f1"], one["f1_low"], one["f1_high"], documents) for one in each),
        )
        for each in zip(*columns, strict=True)
        if (label := labels.get(int(each[0]["key"])))
    ]
    return sorted(found, key=lambda row: 2.0 if row.scores[0].estimate is None else row.scores[0].estimate)


def _can_be_part(version: ModelVersion) -> bool:
    return version.kind == RunKind.FIT and not version.tags_words


def pair(candidates: Iterable[CandidateRow]) -> Pair | None:
    """Return the most accurate version and the best of those that are clearly faster, where a cascade pays.

    None where a clearly faster one is within noise of the best, because it is enough alone.
    """
    kept = [row for row in measured(candidates) if row.version and row.version.bundle]
    # A part of a cascade cannot be a cascade itself.
    single = [row for row in kept if row.version and _can_be_part(row.version)]
    if not single:
        return None
    limit = single[0].content["speed"]["p50_ms"] / CLEARLY_FASTER
    faster = [row for row in single[1:] if row.content["speed"]["p50_ms"] <= limit]
    if not faster or any(row.gap and row.gap["within_noise"] for row in faster):
        return None
    cheap, strong = faster[0].version, single[0].version
    return Pair(cheap, strong) if cheap and strong else None
