"""The guidelines of a project for all its members: as they are, as they were, and what changed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate.access import is_lead, project_for, reviews, signed_in
from annotate.forms.keys import as_key
from annotate.models import GuidelinesVersion, Project
from annotate.services.projects import guidelines as versions
from annotate.services.projects.refused import Refused


@require_safe
def guidelines(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the version that the address names, or the one in force; with `since`, what it changed."""
    project, member = project_for(request.user, slug), signed_in(request.user)
    shown = _version(project, request.GET.get("version", ""))
    context: dict[str, Any] = {
        "project": project,
        "shown": shown,
        "versions": versions.listed(project),
        "since": None,
        "lines": (),
        "refusal": "",
        "is_lead": is_lead(member, project),
        "base": "projects/base.html" if reviews(member, project) else "base.html",
        "tab": "dashboard",
    }
    if shown and "since" in request.GET:
        since = _version(project, request.GET["since"])
        context["since"] = since
        if since:
            try:
                context["lines"] = versions.difference(since, shown)
            except Refused as refusal:
                context["refusal"] = str(refusal)
    return render(request, "scheme/guidelines.html", context)


def _version(project: Project, number: str) -> GuidelinesVersion | None:
    """Return the version of a number, or the newest; none where the project had none when they began."""
    rows = project.guidelines_versions.select_related("by")
    return get_object_or_404(rows, number=as_key(number) or 0) if number else rows.first()
