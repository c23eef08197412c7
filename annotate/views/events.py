"""Who did what, when: of a project for leads and reviewers, of the whole site for administrators."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate.access import reviewed_project_for, site_administrator
from annotate.forms.events import EventForm
from annotate.forms.keys import as_key
from annotate.models import Document, Event, Project
from annotate.services.pages import events as log


@require_safe
def project_events(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    shown = _shown(request, Event.objects.filter(project_id=project.pk))
    return render(request, "events/project.html", {"project": project, "tab": "settings", **shown})


@require_safe
def project_events_csv(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    project = reviewed_project_for(request.user, slug)
    return _csv(request, Event.objects.filter(project_id=project.pk), f"{project.slug}-events.csv")


@require_safe
def site_events(request: HttpRequest) -> HttpResponse:
    site_administrator(request.user)
    shown = _shown(request, Event.objects.all())
    return render(request, "events/site.html", shown)


@require_safe
def site_events_csv(request: HttpRequest) -> StreamingHttpResponse:
    site_administrator(request.user)
    return _csv(request, Event.objects.all(), "events.csv")


def _shown(request: HttpRequest, events: QuerySet[Event]) -> dict[str, Any]:
    form = EventForm(request.GET, people=log.people(events))
    before, after = (as_key(request.GET.get(side, "")) for side in ("before", "after"))
    page = log.page(events.filter(**form.wanted), before=before, after=after)
    # What an event is about may be gone since, so that there is nothing to open.
    projects = {event.project_id or 0 for event in page.events}
    slugs = dict(Project.objects.standing().filter(pk__in=projects).values_list("pk", "slug"))
    documents = {event.document_id or 0 for event in page.events}
    kept = set(Document.objects.filter(pk__in=documents).values_list("pk", flat=True))
    rows = [
        (event, log.sentence(event), slugs.get(event.project_id or 0), event.document_id in kept)
        for event in page.events
    ]
    asked = request.GET.copy()
    for side in ("before", "after"):
        asked.pop(side, None)
    return {
        "form": form,
        "is_filtered": bool(form.wanted),
        "page": page,
        "rows": rows,
        "query": asked.urlencode(),
    }


def _csv(request: HttpRequest, events: QuerySet[Event], name: str) -> StreamingHttpResponse:
    form = EventForm(request.GET, people=log.people(events))
    return StreamingHttpResponse(
        log.csv_lines(events.filter(**form.wanted)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
