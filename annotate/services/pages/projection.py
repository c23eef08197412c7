"""Where the learning curve leads, in sentences: what more labels will bring, and how many a goal takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.utils.translation import gettext as _

from annotate.models import ModelVersion
from annotate.models.versions import Stage
from training.figures import projection
from training.figures.projection import LabelsNeeded, MeasuredPoint, NoProjection, Projection

STEP = 0.05  # between goals: the next round figure above the present one is what people ask for
HIGHEST = 0.95


def sentences(versions: Sequence[ModelVersion]) -> list[str]:
    """Return what the curve of the published version's kind foretells; nothing while it cannot be told."""
    published = next((version for version in versions if version.stage == Stage.PUBLISHED), None)
    if published is None:
        return []
    points = [
        MeasuredPoint(one.labelled, one.f1, one.f1_low or 0.0, one.f1_high or 1.0)
        for one in versions
        if one.follows(published) and one.f1 is not None
    ]
    found = projection.project(points)
    if found is NoProjection.FEW_POINTS:
        return []
    if isinstance(found, NoProjection) or found.is_flat:
        return [_("The curve is flat: more labels of this kind will hardly raise F1.")]
    return [_foretold(found), *_goal(found)]


def _foretold(found: Projection) -> str:
    there = found.at(_rounded(projection.MORE * found.labels))
    return _("With %(labels)s labels in all it should be about %(value)s (%(low)s to %(high)s).") % {
        "labels": f"{there.labels:,}",
        "value": f"{there.value:.2f}",
        "low": f"{there.low:.2f}",
        "high": f"{there.high:.2f}",
    }


def _goal(found: Projection) -> list[str]:
    goal = STEP * (math.floor(found.at(found.labels).value / STEP + 1e-9) + 1)
    if goal > HIGHEST:
        return []
    needed = found.needed(goal)
    if needed.labels is None:
        return [_("%(goal)s is out of reach of labels alone.") % {"goal": f"{goal:.2f}"}]
    words = {
        "goal": f"{goal:.2f}",
        "more": f"{_rounded(needed.labels - found.labels):,}",
        "range": _range(needed, found.labels),
    }
    return [_("%(goal)s takes about %(more)s more (%(range)s).") % words]


def _range(needed: LabelsNeeded, there: int) -> str:
    fewest = _rounded(max(0, (needed.fewest or needed.labels or there) - there))
    if needed.most is None:
        return _("%(fewest)s at least") % {"fewest": f"{fewest:,}"}
    words = {"fewest": f"{fewest:,}", "most": f"{_rounded(needed.most - there):,}"}
    return _("%(fewest)s to %(most)s") % words


def _rounded(labels: float) -> int:
    """Return a number of labels with two digits that say something."""
    if labels < 10:
        return max(0, round(labels))
    step: int = 10 ** (math.floor(math.log10(labels)) - 1)
    return round(labels / step) * step
