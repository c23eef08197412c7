"""Plots as SVG written by a template, without scripts and style attributes; style sheets give the colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
from django import template
from django.template import Context
from numpy.typing import NDArray

from annotate.models import ModelVersion, Project
from annotate.models.versions import Stage
from annotate.services.drift.shown import ShownWindow
from annotate.services.pages.confusion import NEAR, ConfusionCell, ConfusionPicture
from annotate.services.quality.classes import FALLING
from annotate.services.quality.confidence import ConfidencePage
from annotate.services.quality.thresholds import ThresholdRow
from annotate.templatetags.winnow import full_name
from training.figures.projection import thinned
from training.figures.tradeoff import PrecisionRecall
from training.types import FloatArray

Values = NDArray[np.float64]

register = template.Library()

WIDTH, HEIGHT = 720, 270
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 14, 42


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values from `low` to `high` onto pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    version: ModelVersion
    is_published: bool


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    line: str
    band: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    value: float


@register.inclusion_tag("overview/_curve.html")
def learning_curve(versions: Sequence[ModelVersion]) -> dict[str, Any]:
    """Draw F1 over the labels learned from, a line and an interval band for each kind of model."""
    lows = [_low(version) for version in versions]
    highs = [_high(version) for version in versions]
    bottom, top = floor(min(lows) * 10) / 10, ceil(max(highs) * 10) / 10
    x = Scale(0, max(version.labelled for version in versions), LEFT, WIDTH - RIGHT)
    y = Scale(bottom, top, HEIGHT - BOTTOM, TOP)
    kinds: dict[str, list[ModelVersion]] = {}
    for version in versions:
        kinds.setdefault(full_name(version), []).append(version)
    return {
        "versions": versions,
        "figure_name": versions[0].project.task_type.figure,
        "series": [_series(name, _drawn(own), x, y) for name, own in kinds.items()],
        "x_ticks": [Tick(x(value), value) for value in _nice(x.high)],
        "y_ticks": [Tick(y(value), value) for value in _tenths(bottom, top)],
        "box": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        "axis": {"y": HEIGHT - BOTTOM, "label_y": HEIGHT - BOTTOM + 16, "title_y": HEIGHT - 6},
        "middle": (LEFT + WIDTH - RIGHT) / 2,
    }


@dataclass(frozen=True, slots=True)
class WindowPoint:
    """A window in the plot: where it stands, the height of its KL, and that of what it may be."""

    x: float
    y: float
    limit_y: float | None
    shown: ShownWindow


@register.inclusion_tag("drift/_windows.html")
def corridor_plot(windows: Sequence[ShownWindow]) -> dict[str, Any]:
    """Draw how far the classes of each window are from what is usual, and how far they may be."""
    judged = [one for one in windows if one.window.kl is not None]
    highest = max((max(one.window.kl or 0.0, one.corridor or 0.0) for one in judged), default=0.0) or 1.0
    x = Scale(0, max(len(judged), 2) - 1, LEFT + 14, WIDTH - RIGHT - 14)
    y = Scale(0, highest * 1.1, HEIGHT - BOTTOM, TOP)
    points = [
        WindowPoint(x(i), y(one.window.kl or 0.0), None if one.corridor is None else y(one.corridor), one)
        for i, one in enumerate(judged)
    ]
    limits = [(point.x, point.limit_y) for point in points if point.limit_y is not None]
    return {
        "windows": list(reversed(windows)),
        "points": points,
        "line": _path((point.x, point.y) for point in points),
        "limit": _path(limits),
        "band": _path([*limits, (limits[-1][0], y(0)), (limits[0][0], y(0))]) if limits else "",
        "y_ticks": [Tick(y(highest * part), highest * part) for part in (0.0, 0.5, 1.0)],
        "box": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        "axis": {"y": HEIGHT - BOTTOM, "title_y": HEIGHT - 6},
        "middle": (LEFT + WIDTH - RIGHT) / 2,
    }


def _drawn(own: Sequence[ModelVersion]) -> list[ModelVersion]:
    """Leave out versions that stand too close to be told apart, but never the published one."""
    places = {*thinned([version.labelled for version in own])}
    return [one for i, one in enumerate(own) if i in places or one.stage == Stage.PUBLISHED]


def _series(name: str, own: Sequence[ModelVersion], x: Scale, y: Scale) -> Series:
    upper = [(x(version.labelled), y(_high(version))) for version in own]
    lower = [(x(version.labelled), y(_low(version))) for version in own]
    points = tuple(
        Point(x(version.labelled), y(version.f1 or 0.0), version, version.stage == Stage.PUBLISHED)
        for version in own
    )
    line = _path((point.x, point.y) for point in points)
    return Series(name, line, _path([*upper, *reversed(lower)]), points)


def _path(points: Any) -> str:
    return " ".join(f"{across},{down}" for across, down in points)


def _low(version: ModelVersion) -> float:
    return (version.f1 or 0.0) if version.f1_low is None else version.f1_low


def _high(version: ModelVersion) -> float:
    return (version.f1 or 0.0) if version.f1_high is None else version.f1_high


def _nice(high: float) -> list[float]:
    """Return about five round values from 0 to `high`."""
    step = next(
        size * 10**power for power in range(9) for size in (1, 2, 5) if high / (size * 10**power) <= 6
    )
    return [value * step for value in range(int(high // step) + 1)]


def _tenths(bottom: float, top: float) -> list[float]:
    first, last = round(bottom * 10), round(top * 10)
    step = 2 if last - first > 5 else 1
    return [tenth / 10 for tenth in range(first, last + 1, step)]


@register.inclusion_tag("versions/_sort_head.html", takes_context=True)
def sort_head(context: Context, key: str, title: str) -> dict[str, Any]:
    """Write the head of a column, as a link that sorts by it or turns the order round."""
    sort = str(context.get("sort", ""))
    is_sorted, is_falling = sort.removeprefix(FALLING) == key, sort.startswith(FALLING)
    return {
        "title": title,
        "key": key,
        "sort": sort,
        "direction": ("down" if is_falling else "up") if is_sorted else "",
        "next": f"{FALLING}{key}" if is_sorted and not is_falling else key,
    }


@register.inclusion_tag("versions/_sparkline.html")
def sparkline(trends: Mapping[int, Sequence[float]], label: int) -> dict[str, Any]:
    """Draw a label's F1 over versions, the oldest at the left, from 0 at the bottom to 1 at the top."""
    values = trends.get(label, ())
    if not values:
        return {"line": ""}
    x, y = Scale(0, len(values) - 1, 2, 78), Scale(0, 1, 18, 2)
    places = [(x(place), y(value)) for place, value in enumerate(values)]
    ends = {"first": values[0], "last": values[-1], "number": len(values)}
    return {"line": _path(places), "end": places[-1], **ends}


MOST_POINTS = 60  # of a curve that is drawn, and rows of the table behind it


@dataclass(frozen=True, slots=True)
class SharePoint:
    """A point of a curve over shares: where it stands, and the figures that it stands for."""

    x: float
    y: float
    threshold: float
    across: float
    up: float

    @property
    def corner(self) -> tuple[float, float]:
        """The upper left corner of the square that marks it."""
        return round(self.x - 5, 1), round(self.y - 5, 1)

    @property
    def typed(self) -> str:
        """The threshold as a form holds it."""
        return str(np.float32(self.threshold))


@register.inclusion_tag("versions/_precision_recall.html")
def precision_recall_curve(found: PrecisionRecall, row: ThresholdRow) -> dict[str, Any]:
    """Draw precision over recall for a label's thresholds, with the one that holds and the one looked at."""
    points = _points(found.thresholds, found.recall, found.precision)
    looked_at = [("old", row.before.threshold)]
    if row.is_changed:
        looked_at.append(("new", row.after.threshold))
    marks = [(kind, _nearest(points, threshold)) for kind, threshold in looked_at]
    return _shares_plot(points) | {"row": row, "marks": [mark for mark in marks if mark[1] is not None]}


@register.inclusion_tag("versions/_coverage.html")
def coverage_curve(page: ConfidencePage) -> dict[str, Any]:
    """Draw the share that is right over the share that is answered, with its interval as a band."""
    found = page.curve
    points, lows, highs = (
        _points(found.threshold, found.coverage, up) for up in (found.accuracy, found.low, found.high)
    )
    looked_at = [("old", page.now), ("new", page.wanted)][: 2 if page.is_changed else 1]
    marks = [
        (kind, _placed(one.threshold, one.coverage, one.accuracy))
        for kind, one in looked_at
        if one.accuracy is not None
    ]
    band = _path((one.x, one.y) for one in [*highs, *reversed(lows)])
    return _shares_plot(points) | {"band": band, "marks": marks}


def _points(thresholds: FloatArray, across: Values, up: Values) -> list[SharePoint]:
    count = len(thresholds)
    kept = np.unique(np.linspace(0, max(count - 1, 0), min(MOST_POINTS, count)).round().astype(np.int64))
    return [_placed(float(thresholds[row]), float(across[row]), float(up[row])) for row in kept]


def _placed(threshold: float, across: float, up: float) -> SharePoint:
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1, HEIGHT - BOTTOM, TOP)
    return SharePoint(x(across), y(up), threshold, across, up)


def _nearest(points: Sequence[SharePoint], threshold: float) -> SharePoint | None:
    """Return the point that decides as this threshold does; None where it decides on nothing."""
    return next((point for point in points if np.float32(point.threshold) >= np.float32(threshold)), None)


def _shares_plot(points: Sequence[SharePoint]) -> dict[str, Any]:
    x, y = Scale(0, 1, LEFT, WIDTH - RIGHT), Scale(0, 1, HEIGHT - BOTTOM, TOP)
    fifths = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    return {
        "points": points,
        "line": _path((point.x, point.y) for point in points),
        "x_ticks": [Tick(x(value), value) for value in fifths],
        "y_ticks": [Tick(y(value), value) for value in fifths],
        "box": {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        "axis": {"y": HEIGHT - BOTTOM, "label_y": HEIGHT - BOTTOM + 16, "title_y": HEIGHT - 6},
        "middle": (LEFT + WIDTH - RIGHT) / 2,
    }


@register.inclusion_tag("versions/_matrix.html")
def confusion_matrix(project: Project, picture: ConfusionPicture) -> dict[str, Any]:
    """Draw a version's confusions; the cells that hold most mistakes open their documents.

    A cell is one unit wide, and those that open nothing are one path for each shade: the picture is sent with
    its page, so that it has to be small.
    """
    drawn: dict[tuple[bool, int], list[str]] = {}
    for cell in picture.others:
        drawn.setdefault((cell.is_right, cell.shade), []).append(f"M{cell.column} {cell.row}h1v1h-1z")
    linked: dict[int, list[ConfusionCell]] = {}
    for cell in picture.linked:
        linked.setdefault(cell.shade, []).append(cell)
    return {
        "project": project,
        "picture": picture,
        "side": len(picture.labels),
        "paths": [
            (f"cell-{'right' if is_right else 'wrong'}-{shade}", "".join(parts))
            for (is_right, shade), parts in sorted(drawn.items())
        ],
        "linked": sorted(linked.items(), reverse=True),
        "near_places": NEAR,
    }
