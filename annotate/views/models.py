"""What models there are and how they came to be: versions and runs."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.models import ModelVersion
from annotate.models.runs import LIVE_STATES
from annotate.run_forms import TrainForm
from annotate.services import predicting, publishing, reports
from annotate.services import runs as run_service
from annotate.services.publishing import NotPublished

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
        "warning": predicting.warning(project=project),
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
    context = {
        "project": project,
        "runs": rows,
        "live_states": LIVE_STATES,
        "form": TrainForm(project=project),
        "automatic": run_service.automatic(project),
        "tab": "runs",
    }
    return render(request, "models/runs.html", context)


@require_POST
def start_run(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = TrainForm(request.POST, project=project)
    if not form.is_valid():
        messages.error(
            request, _("There is no such family or option in this project: choose from the lists.")
        )
        return redirect("runs", slug)
    opened = run_service.open_if_due(
        project=project,
        reason=run_service.Reason.LEAD,
        by=signed_in(request.user),
        family=form.cleaned_data["family"],
        config=form.config,
    )
    transaction.on_commit(partial(tasks.wake, opened))
    if not opened:
        messages.info(request, _("What you asked for is training already."))
    return redirect("project", slug)


@require_POST
def cancel_run(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    run = get_object_or_404(led_project_for(request.user, slug).runs, pk=pk)
    if run_service.cancel(run=run):
        messages.success(request, _("The run is cancelled; what was published stays."))
    else:
        messages.info(request, _("The run was over already."))
    return redirect("project", slug)


@require_POST
def publish(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    version = get_object_or_404(project.versions.select_related("project"), number=number)
    try:
        _announce(request, publishing.publish(version=version, by=signed_in(request.user)))
    except NotPublished as refusal:
        messages.error(request, str(refusal))
    return redirect("versions", slug)


@require_POST
def roll_back(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    try:
        _announce(request, publishing.roll_back(project=project, by=signed_in(request.user)))
    except NotPublished as refusal:
        messages.error(request, str(refusal))
    return redirect("versions", slug)


def _announce(request: HttpRequest, version: ModelVersion) -> None:
    transaction.on_commit(partial(tasks.send, tasks.prelabel, version.pk))
    messages.success(request, _("Version %(number)s is published.") % {"number": version.number})
