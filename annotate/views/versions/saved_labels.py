"""What choosing documents was worth."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate.access import reviewed_project_for
from annotate.services.quality import saved_labels
from annotate.services.versions.holdout import NotScored
from annotate.views.versions.downloads import csv_file


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    context: dict[str, Any] = {"project": project, "asked": (), "tab": "versions"}
    try:
        context["found"] = saved_labels.of_project(project)
    except NotScored as reason:
        context["reason"] = str(reason)
    return render(request, "versions/saved_labels.html", context)


@require_safe
def download(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    return csv_file(f"{project.slug}-saved-labels.csv", saved_labels.csv_rows(saved_labels.newest(project)))
