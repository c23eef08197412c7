"""How much of the collection each label is."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate.access import reviewed_project_for
from annotate.services.quality import shares
from annotate.services.versions.holdout import NotScored
from annotate.views.versions.downloads import csv_file


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    published = project.versions.published().first()
    context: dict[str, Any] = {
        "project": project,
        "version": published,
        "asked": (published,) if published else (),
        "tab": "versions",
    }
    try:
        context["found"] = shares.of_project(project)
    except NotScored as reason:
        context["reason"] = str(reason)
    return render(request, "versions/shares.html", context)


@require_safe
def download(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    try:
        rows = [*shares.csv_rows(shares.of_project(project))]
    except NotScored as reason:
        rows = [shares.COLUMNS, [str(reason)]]
    return csv_file(f"{project.slug}-shares.csv", rows)
