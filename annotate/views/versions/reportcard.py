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
from annotate.access import is_lead, led_project_for, reviewed_project_for, signed_in
from annotate.forms.runs import CascadeForm
from annotate.models import Project
from annotate.models.jobs import JobKind
from annotate.services.pages import reportcard_rows
from annotate.services.runs import cascade
from annotate.services.versions import reportcards
from annotate.services.work import jobs


@require_safe
def reportcard(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the card; while it is measured anew, the page asks for its part again."""
    project = reviewed_project_for(request.user, slug)
    if request.htmx:  # type: ignore[attr-defined]
        context = {**_context(project), "is_lead": is_lead(signed_in(request.user), project)}
        return render(request, "reportcard/_reportcard.html", context)
    return render(request, "reportcard/page.html", _context(project))


def _context(project: Project) -> dict[str, Any]:
    latest = reportcards.latest(project)
    rows = reportcard_rows.rows(latest) if latest else []
    return {
        "project": project,
        "reportcard": latest,
        "content": reportcard_rows.shown(latest) if latest else None,
        "rows": rows,
        "measured": reportcard_rows.measured(rows),
        "labels": reportcard_rows.per_label(latest, rows) if latest else [],
        "pair": reportcard_rows.pair(rows),
        "is_measuring": jobs.is_live(kind=JobKind.REPORTCARD, project=project),
        "has_versions": project.versions.exclude(bundle="").exists(),
        "tab": "reportcard",
    }


@require_POST
def measure(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    opened = reportcards.ask(project=project, by=signed_in(request.user))
    transaction.on_commit(partial(tasks.wake, opened))
    return redirect("reportcard", slug)


@require_POST
def combine(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = CascadeForm(request.POST, project=project)
    if not form.is_valid():
        context = {**_context(project), "form": form}
        return render(request, "reportcard/page.html", context, status=422)
    opened = cascade.combine(project=project, by=signed_in(request.user), **form.cleaned_data)
    transaction.on_commit(partial(tasks.wake, opened))
    if opened:
        messages.success(request, _("The two are being combined; the cascade becomes a version of its own."))
    else:
        messages.info(request, _("Two versions are being combined already."))
    return redirect("runs", slug)
