"""What may be told of a version's scores: a confidence where they are calibrated, else only their order."""

from __future__ import annotations

from functools import lru_cache

from django.utils.translation import gettext as _

from annotate.models import ModelVersion
from training.registry import FAMILIES
from training.types import Answer


@lru_cache(maxsize=256)
def is_calibrated(version_pk: int) -> bool:
    """Tell whether a version's scores say how often they are right; a version never changes in this."""
    return ModelVersion.objects.filter(pk=version_pk, calibrated=True).exists()


def told(answer: Answer, version_pk: int) -> Answer:
    """Return what a page or a program may be told of a version's answer."""
    return answer.told(calibrated=is_calibrated(version_pk))


def called(version: ModelVersion) -> str:
    """Return what a version's answers are called in place of a confidence; "" where they are calibrated."""
    if version.calibrated:
        return ""
    # A family that the registry has no longer, and a cascade, learned from labels.
    learns = version.family not in FAMILIES or FAMILIES[version.family].learns
    if version.labelled and learns:
        return _("guess from few labels")
    return _("guess from label names")
