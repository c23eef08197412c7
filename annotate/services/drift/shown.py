"""What the page of drift shows: the newest windows, what is unusual of them, alarms, and a file of all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Sum
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from annotate.models import DriftAlarm, Label, PredictionWindow, Project
from annotate.services.documents.spreadsheet import marked
from annotate.services.drift.counting import NO_LABEL

NEWEST = 60
FIGURES = ("distance", "limit", "kl", "js", "psi")
MEANS = ("confidence", "characters", "similarity", "unknown_words")
COLUMNS = ("began_at", "ended_at", "version", "texts", "imported", *FIGURES, "outside", *MEANS, "moved")


@dataclass(frozen=True, slots=True)
class MovedLabel:
    """A label with its share of the texts before and in a window; "" is no label at all."""

    name: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class ShownReading:
    """A figure of texts that has left its corridor."""

    name: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class ShownWindow:
    """A window; `corridor` is the KL that it may have, None where it was not judged."""

    window: PredictionWindow
    corridor: float | None
    moved: tuple[MovedLabel, ...]
    outside: tuple[ShownReading, ...]

    @property
    def mix_is_outside(self) -> bool:
        limit, distance = self.window.limit, self.window.distance
        return distance is not None and limit is not None and distance > limit


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a project's traffic: its newest windows, the last one at the end, and its alarms."""

    windows: tuple[ShownWindow, ...]
    alarms: tuple[tuple[DriftAlarm, ShownWindow], ...]
    waiting: int
    texts_kept: int

    @property
    def open_alarm(self) -> tuple[DriftAlarm, ShownWindow] | None:
        return next(((alarm, window) for alarm, window in self.alarms if alarm.ended_at is None), None)


def watched(project: Project) -> Watched:
    names = _names(project)
    newest = project.prediction_windows.select_related("version")[:NEWEST]
    raised = project.drift_alarms.select_related("window__version", "seen_by", "ended_by", "run")[:NEWEST]
    return Watched(
        windows=tuple(_shown(window, names) for window in reversed(newest)),
        alarms=tuple((alarm, _shown(alarm.window, names)) for alarm in raised),
        waiting=project.prediction_tallies.aggregate(n=Sum("texts"))["n"] or 0,
        texts_kept=project.asked_texts.count(),
    )


def _names(project: Project) -> dict[str, str]:
    names = {str(pk): name for pk, name in project.labels.values_list("pk", "name")}
    for pk, into in Label.objects.successors(project.pk).items():
        names[str(pk)] = names.get(str(into), "")
    return names | {NO_LABEL: _("no label")}


def _shown(window: PredictionWindow, names: dict[str, str]) -> ShownWindow:
    counted = sum(window.classes.values())
    return ShownWindow(
        window,
        corridor=None if window.limit is None or not counted else window.limit / (2 * counted),
        moved=tuple(MovedLabel(names.get(key, "?"), before, now) for key, before, now in window.moved),
        outside=tuple(
            ShownReading(name, reading["before"], reading["now"])
            for name, reading in window.readings.items()
            if reading["is_outside"]
        ),
    )


def csv_lines(project: Project) -> Iterator[bytes]:
    """Yield all windows as CSV, the oldest first, with the shares that moved most in words."""
    # NB: its lines are asked for when the request is over, and with it the language of who reads them.
    return _csv_lines(project, get_language())


def _csv_lines(project: Project, language: str) -> Iterator[bytes]:
    with override(language):
        names = _names(project)
    yield b"\xef\xbb\xbf" + _line(COLUMNS)
    windows = project.prediction_windows.select_related("version").order_by("pk")
    for window in windows.iterator(chunk_size=500):
        sums = {name: (total, number) for name, (number, total, _squares) in window.moments.items() if number}
        means = {name: total / number for name, (total, number) in sums.items()}
        moved = [f"{one.name} {one.before:.3f} > {one.now:.3f}" for one in _shown(window, names).moved]
        yield _line(
            [
                window.began_at.isoformat(),
                window.ended_at.isoformat(),
                window.version.number if window.version else "",
                window.texts,
                window.imported,
                *(getattr(window, name) for name in FIGURES),
                int(window.is_outside),
                *(means.get(name, "") for name in MEANS),
                marked("; ".join(moved)),
            ]
        )


def _line(cells: Sequence[object]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(cells)
    return written.getvalue().encode()
