"""What models there are and how they came to be: versions and runs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate.access import led_project_for
from annotate.models.runs import LIVE_STATES
from annotate.services import reports

RUNS_SHOWN = 50


@require_safe
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    current, before = reports.published(project)
    context = {
        "project": project,
        "versions": project.versions.select_related("run"),
        "current": current,
        "before": before,
        "curve": reports.curve(project),
        "tab": "versions",
    }
    return render(request, "models/versions.html", context)


@require_safe
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("run"), number=number)
    context = {
        "project": project,
        "version": version,
        "metrics": reports.class_metrics(version),
        "confusions": reports.confusions(version),
        "tab": "versions",
    }
    return render(request, "models/version.html", context)


@require_safe
def runs(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    rows = project.runs.select_related("requested_by").prefetch_related("versions")[:RUNS_SHOWN]
    context = {"project": project, "runs": rows, "live_states": LIVE_STATES, "tab": "runs"}
    return render(request, "models/runs.html", context)
