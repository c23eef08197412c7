"""The versions of a project as its page lists them: what trained while nobody worked stands together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from annotate.models import ModelVersion
from annotate.services.runs.schedule import RunReason

FEWEST = 3  # versions that are worth folding


@dataclass(frozen=True, slots=True)
class VersionGroup:
    """Versions that follow each other, the newest first; a folded one is opened by whoever looks for it."""

    versions: tuple[ModelVersion, ...]
    is_folded: bool

    @property
    def oldest(self) -> int:
        return self.versions[-1].number

    @property
    def low(self) -> float | None:
        return min(self._figures, default=None)

    @property
    def high(self) -> float | None:
        return max(self._figures, default=None)

    @property
    def _figures(self) -> list[float]:
        return [one.f1 for one in self.versions if one.f1 is not None]


def grouped(versions: Iterable[ModelVersion]) -> list[VersionGroup]:
    """Return the versions in their order, runs of unpublished ones of idle training of one kind folded."""
    found: list[VersionGroup] = []
    waiting: list[ModelVersion] = []
    for version in versions:
        if waiting and not (_is_quiet(version) and version.follows(waiting[-1])):
            found += _group(waiting)
            waiting = []
        if _is_quiet(version):
            waiting.append(version)
        else:
            found.append(VersionGroup((version,), is_folded=False))
    return [*found, *_group(waiting)]


def _group(versions: list[ModelVersion]) -> list[VersionGroup]:
    if len(versions) >= FEWEST:
        return [VersionGroup(tuple(versions), is_folded=True)]
    return [VersionGroup((version,), is_folded=False) for version in versions]


def _is_quiet(version: ModelVersion) -> bool:
    is_of_idle_training = version.run is not None and version.run.reason == RunReason.IDLE
    return is_of_idle_training and version.published_at is None and version.revises_id is None
