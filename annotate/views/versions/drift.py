"""Is the model still good: what it says of new texts, window by window, and the alarms of that."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate.access import led_project_for, reviewed_project_for, signed_in
from annotate.forms.versions.drift import CorridorForm
from annotate.models import Corridor, Project
from annotate.services.drift import alarms, feedback, shown


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    return _page(request, project, CorridorForm(instance=Corridor.of(project)))


def _page(request: HttpRequest, project: Project, form: CorridorForm) -> HttpResponse:
    context: dict[str, Any] = {
        "project": project,
        "corridor": Corridor.of(project),
        "watched": shown.watched(project),
        "live_accuracy": feedback.live_accuracy(project),
        "form": form,
        "tab": "drift",
    }
    return render(request, "drift/page.html", context, status=422 if form.errors else 200)


@require_safe
def windows_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    project = reviewed_project_for(request.user, slug)
    name = f"{project.slug}-drift.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    lines = shown.csv_lines(project)
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = CorridorForm(request.POST, instance=Corridor.of(project))
    if not form.is_valid():
        return _page(request, project, form)
    corridor, lead = form.save(commit=False), signed_in(request.user)
    alarms.change_corridor(corridor=corridor, fields=form.changed_data, by=lead)
    messages.success(request, _("Saved."))
    return redirect("drift", slug)


@require_POST
def snooze(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    alarms.snooze(project=project, by=signed_in(request.user))
    messages.success(request, _("No alarm is raised for a week."))
    return redirect("drift", slug)


@require_POST
def seen(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    alarm = get_object_or_404(project.drift_alarms.select_related("project"), pk=pk)
    alarms.note_seen(alarm=alarm, by=signed_in(request.user))
    return redirect("drift", slug)


@require_POST
def usual(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take what raised an alarm as usual from now on."""
    project = led_project_for(request.user, slug)
    alarm = get_object_or_404(project.drift_alarms.select_related("project"), pk=pk)
    alarms.take_as_usual(alarm=alarm, by=signed_in(request.user))
    messages.success(request, _("What is usual begins anew: the next windows are learned."))
    return redirect("drift", slug)
