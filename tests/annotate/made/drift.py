"""An alarm of drift, with the window that raised it."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from annotate.models import DriftAlarm, PredictionWindow, Project


def make_window(project: Project, **fields: Any) -> PredictionWindow:
    """Make a window of 100 texts, of which seven in ten have the project's last label."""
    first, *_others, last = [str(pk) for pk in project.labels.values_list("pk", flat=True)]
    now = timezone.now()
    usual: dict[str, Any] = {
        "texts": 100,
        "classes": {first: 30, last: 70},
        "moments": {"characters": [100, 2000.0, 50000.0]},
        "moved": [[last, 0.1, 0.7], [first, 0.6, 0.3]],
        "began_at": now,
        "ended_at": now,
        "distance": 80.0,
        "limit": 9.0,
        "kl": 0.4,
        "js": 0.09,
        "psi": 0.5,
        "is_outside": True,
    }
    return PredictionWindow.objects.create(project=project, **usual | fields)


def make_alarm(project: Project) -> DriftAlarm:
    return DriftAlarm.objects.create(project=project, window=make_window(project), queued=50)
