"""Two versions side by side, and the button that has a version score the holdout."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import tasks
from annotate.access import led_project_for, reviewed_project_for, signed_in
from annotate.models import ModelVersion, Project
from annotate.services.quality import comparison
from annotate.services.quality.comparison import CLASSES, COLUMNS, DOCUMENTS, VersionComparison
from annotate.services.versions import holdout
from annotate.services.versions.holdout import NotScored
from annotate.views.versions.downloads import csv_file


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    version, other = _chosen(request, project)
    context: dict[str, Any] = {
        "project": project,
        "choices": project.versions.only("number", "family", "variant", "project"),
        "version": version,
        "other": other,
        "both": (version, other),
        "tab": "versions",
    }
    try:
        if version is not None and other is not None:
            context |= _shown(comparison.compare(version, other))
    except NotScored as reason:
        context["reason"] = str(reason)
    return render(request, "versions/comparison.html", context)


def _shown(found: VersionComparison) -> dict[str, Any]:
    parts = (
        (_("Only this version is right"), found.flipped.won),
        (_("Only the other version is right"), found.flipped.lost),
        (_("Decided differently, both wrong"), found.flipped.neither),
    )
    lists = [{"title": title, "rows": found.listed(rows), "number": len(rows)} for title, rows in parts]
    return {"found": found, "flipped": lists}


@require_safe
def download(request: HttpRequest, slug: str) -> HttpResponse:
    """Answer with the classes, or with the documents that flipped, as CSV."""
    project = reviewed_project_for(request.user, slug)
    version, other = _chosen(request, project)
    table = DOCUMENTS if request.GET.get("table") == DOCUMENTS else CLASSES
    if version is None or other is None:
        return csv_file(f"{project.slug}-{table}.csv", [COLUMNS[table]])
    name = f"{project.slug}-{version.number}-against-{other.number}-{table}.csv"
    try:
        rows = [*comparison.csv_rows(comparison.compare(version, other), table)]
    except NotScored as reason:
        rows = [COLUMNS[table], [str(reason)]]
    return csv_file(name, rows)


@require_POST
def score(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Have a worker score the holdout by a version, for the pages that judge it."""
    project = led_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    try:
        opened = holdout.ask(version=version, by=signed_in(request.user))
    except NotScored as reason:
        messages.error(request, str(reason))
    else:
        transaction.on_commit(partial(tasks.wake, opened))
        messages.success(request, _("The holdout is being scored; look again in a moment."))
    return redirect("version", slug, number)


def _chosen(request: HttpRequest, project: Project) -> tuple[ModelVersion | None, ModelVersion | None]:
    """Return the versions that the address names, or the newest one and what it has to surpass."""
    versions = project.versions.select_related("project")
    named = [_named(request.GET.get(side, ""), project) for side in ("version", "against")]
    version = named[0] or versions.exclude(bundle="").first() or versions.first()
    if version is None:
        return None, None
    return version, named[1] or comparison.counterpart(version)


def _named(number: str, project: Project) -> ModelVersion | None:
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        return None
    return project.versions.select_related("project").filter(number=int(number)).first()
