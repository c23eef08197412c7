"""The report card: every family's newest version on one page, one of them recommended."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.models import Project
from annotate.run_forms import CascadeForm
from annotate.services import cardpages, reportcards
from annotate.services import runs as run_service


@require_safe
def card(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the card; while it is measured anew, the page asks for its part again."""
    project = led_project_for(request.user, slug)
    template = "models/_card.html" if request.htmx else "models/card.html"  # type: ignore[attr-defined]
    return render(request, template, _context(project))


def _context(project: Project) -> dict[str, Any]:
    latest = reportcards.latest(project)
    rows = cardpages.rows(latest) if latest else []
    return {
        "project": project,
        "card": latest,
        "content": latest.content if latest else None,
        "rows": rows,
        "measured": cardpages.measured(rows),
        "labels": cardpages.per_label(latest, rows) if latest else [],
        "pair": cardpages.pair(rows),
        "is_measuring": tasks.is_measuring(project),
        "has_versions": project.versions.exclude(bundle="").exists(),
        "tab": "card",
    }


@require_POST
def measure(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    transaction.on_commit(partial(tasks.ask_for_card, project))
    return redirect("card", slug)


@require_POST
def combine(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = CascadeForm(request.POST, project=project)
    if not form.is_valid():
        messages.error(request, _("Choose two versions of this project whose bundles are kept."))
        return redirect("card", slug)
    opened = run_service.open_cascade(project=project, by=signed_in(request.user), **form.cleaned_data)
    transaction.on_commit(partial(tasks.wake, opened))
    if opened:
        messages.success(request, _("The two are being combined; the cascade becomes a version of its own."))
    else:
        messages.info(request, _("Two versions are being combined already."))
    return redirect("runs", slug)
