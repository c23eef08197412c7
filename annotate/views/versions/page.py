"""What models there are, and which of them serves."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import tasks
from annotate.access import led_project_for, reviewed_project_for, signed_in
from annotate.models import ModelVersion
from annotate.models.jobs import JobKind
from annotate.services.pages import confusion, overview
from annotate.services.quality import classes, pairs, stability, version_list
from annotate.services.versions import model_card, predictions, publication
from annotate.services.versions.publication import NotPublished
from annotate.services.work import jobs


@require_safe
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    current, before = overview.published(project)
    context = {
        "project": project,
        "groups": version_list.grouped(project.versions.select_related("run")),
        "has_settled": stability.has_settled(project),
        "current": current,
        "before": before,
        "curve": overview.curve(project),
        "warning": predictions.warning(project=project),
        "tab": "versions",
    }
    return render(request, "versions/list.html", context)


@require_safe
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    found = project.versions.select_related("run", "project", "revises")
    version = get_object_or_404(found, number=number)
    context = {
        "project": project,
        "version": version,
        "table": classes.table(version, request.GET.get("sort", "")),
        "confusion": confusion.picture(version),
        "pairs": pairs.of_version(version),
        "mistakes": confusion.mistakes(version),
        "tab": "versions",
    }
    return render(request, "versions/version.html", context)


@require_safe
def model_card_page(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project", "run"), number=number)
    context = {
        "project": project,
        "version": version,
        "card": model_card.write(version),
        "tab": "versions",
    }
    return render(request, "versions/model_card.html", context)


@require_safe
def model_card_file(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project", "run"), number=number)
    headers = {"Content-Disposition": f'attachment; filename="{project.slug}-{number}-card.md"'}
    written = model_card.write(version)
    return HttpResponse(written, content_type="text/markdown; charset=utf-8", headers=headers)


@require_POST
def publish(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    try:
        _announce(request, publication.publish(version=version, by=signed_in(request.user)))
    except NotPublished as refusal:
        messages.error(request, str(refusal))
    return redirect("versions", slug)


@require_POST
def roll_back(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """Publish again what served before; `number` is the version that the button named."""
    project = led_project_for(request.user, slug)
    try:
        _announce(request, publication.roll_back(project=project, by=signed_in(request.user), number=number))
    except NotPublished as refusal:
        messages.error(request, str(refusal))
    return redirect("versions", slug)


def _announce(request: HttpRequest, version: ModelVersion) -> None:
    opened = jobs.ask(kind=JobKind.RESCORE, project=version.project, version=version)
    transaction.on_commit(partial(tasks.wake, opened))
    messages.success(request, _("Version %(number)s is published.") % {"number": version.number})
