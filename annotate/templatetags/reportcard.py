"""The report card's small plots, as SVG that templates write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor
from typing import Any

from django import template
from django.utils.translation import gettext as _

from annotate.services.pages.reportcard_rows import CandidateRow
from annotate.templatetags.plots import Scale
from annotate.templatetags.winnow import rounded
from training.figures.evidence import figure
from training.figures.reliability import ReliabilityCurve
from training.types import Int8Twin

register = template.Library()

BAR, BAR_HEIGHT, EDGE = 120, 18, 4
SQUARE = 100


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    radius: float
    about: Mapping[str, Any]


@register.inclusion_tag("reportcard/_interval.html")
def interval_bar(row: CandidateRow, rows: Sequence[CandidateRow]) -> dict[str, Any]:
    """Draw a candidate's F1 with its interval, on one scale for all rows."""
    low, high = (floor(10 * min(_ends(rows))) / 10, ceil(10 * max(_ends(rows))) / 10)
    at = Scale(low, high, EDGE, BAR - EDGE)
    value, low_end, high_end = row.ends
    assert value is not None
    return {
        "box": {"width": BAR, "height": BAR_HEIGHT, "middle": BAR_HEIGHT / 2},
        "left": at(value if low_end is None else low_end),
        "right": at(value if high_end is None else high_end),
        "at": at(value),
        "about": _("%(value)s; the scale goes from %(low)s to %(high)s")
        % {
            "value": rounded(value, 3),
            "low": rounded(low, 1),
            "high": rounded(high, 1),
        },
        "is_recommended": row.is_recommended,
    }


def _ends(rows: Iterable[CandidateRow]) -> list[float]:
    return [end for row in rows for end in row.ends if row.f1 is not None and end is not None]


@register.inclusion_tag("reportcard/_reliability.html")
def reliability_curve(bins: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Draw how often scores are right; on the diagonal they mean what they say."""
    across, up = Scale(0, 1, 0, SQUARE), Scale(0, 1, SQUARE, 0)
    used = [one for one in bins if one["count"]]
    most = max((one["count"] for one in used), default=1)
    dots = [
        Dot(across(one["score"]), up(one["right"]), round(2 + 4 * (one["count"] / most) ** 0.5, 1), one)
        for one in used
    ]
    line = " ".join(f"{dot.x},{dot.y}" for dot in dots)
    return {"size": SQUARE, "dots": dots, "line": line}


@register.filter
def plain_bins(curve: ReliabilityCurve) -> list[dict[str, Any]]:
    """Return a curve's bins as a report card stores them."""
    return [asdict(one) for one in curve.bins]


@register.filter
def against_fp32(stored: Int8Twin | Mapping[str, Any]) -> str:
    """Write what a model reaches and takes, INT8 / FP32; a report card stores its twins as JSON."""
    twin = stored if isinstance(stored, Int8Twin) else Int8Twin.from_json(stored)
    graphs = (twin.int8, twin.fp32)
    figures = {
        "f1": " / ".join(
            "–" if found is None else rounded(found, 3)
            for found in (figure(one.macro_f1, twin.documents) for one in graphs)
        ),
        "p50": " / ".join(milliseconds(one.p50_ms) for one in graphs),
        "size": " / ".join(megabytes(one.graph_bytes) for one in graphs),
        "documents": twin.documents,
    }
    if twin.held_out:
        written = _("macro-F1 %(f1)s on %(documents)s held-out texts, p50 %(p50)s, %(size)s")
    else:
        written = _("macro-F1 %(f1)s on %(documents)s texts that it learned from, p50 %(p50)s, %(size)s")
    return written % figures


@register.filter
def milliseconds(value: float) -> str:
    """Write a time to two significant digits."""
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return _("%(value)s ms") % {"value": rounded(value, digits)}


@register.filter
def megabytes(size: int) -> str:
    """Write a size to about two digits, in kilobytes where it is less than a tenth of a megabyte."""
    if size < 100_000:
        return _("%(size)s kB") % {"size": rounded(size / 1e3, 0)}
    return _("%(size)s MB") % {"size": rounded(size / 1e6, 0 if size >= 10_000_000 else 1)}
