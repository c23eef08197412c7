"""How models came to be: the runs, and what a lead trains by hand."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate import tasks
from annotate.access import led_project_for, reviewed_project_for, signed_in
from annotate.forms.runs import TrainForm
from annotate.models import Project
from annotate.services.runs import schedule
from annotate.services.work import lease
from annotate.views import confirmation

RUNS_SHOWN = 50


@require_safe
def runs(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    return _page(request, project, TrainForm(project=project))


def _page(request: HttpRequest, project: Project, form: TrainForm) -> HttpResponse:
    rows = project.runs.select_related("requested_by", "cancelled_by").prefetch_related("versions")[
        :RUNS_SHOWN
    ]
    context = {
        "project": project,
        "runs": rows,
        "jobs": project.jobs.live().order_by("pk"),
        "form": form,
        "automatic": schedule.automatic(project),
        "tab": "runs",
    }
    return render(request, "runs/list.html", context, status=422 if form.errors else 200)


@require_POST
def start_run(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = TrainForm(request.POST, project=project)
    if not form.is_valid():
        return _page(request, project, form)
    opened = schedule.open_if_due(
        project=project,
        reason=schedule.RunReason.LEAD,
        by=signed_in(request.user),
        family=form.cleaned_data["family"],
        config=form.config,
    )
    transaction.on_commit(partial(tasks.wake, opened))
    if not opened:
        messages.info(request, _("What you asked for is training already."))
    return redirect("project", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel_run(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    run = get_object_or_404(project.runs, pk=pk)
    if request.method != "POST":
        return confirmation.ask(
            request,
            title=_("Cancel run %(pk)d") % {"pk": pk},
            told=[
                _("What it has learned so far is lost. The model that is published goes on serving."),
                _("You can train again at any time; a run that starts by itself waits for more labels."),
            ],
            button=_("Cancel the run"),
            back=reverse("runs", args=[slug]),
            project=project,
            tab="runs",
        )
    if lease.cancel(row=run, by=signed_in(request.user)):
        messages.success(request, _("The run is cancelled; what was published stays."))
    else:
        messages.info(request, _("The run was over already."))
    return redirect("project", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel_job(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    job = get_object_or_404(project.jobs, pk=pk)
    if request.method != "POST":
        return confirmation.ask(
            request,
            title=_("Cancel “%(kind)s”") % {"kind": job.get_kind_display()},
            told=[_("What is done stays. It starts again when something new needs it.")],
            button=_("Cancel this work"),
            back=reverse("runs", args=[slug]),
            project=project,
            tab="runs",
        )
    if lease.cancel(row=job, by=signed_in(request.user)):
        told = _("“%(kind)s” is cancelled; what is done stays. It starts again when something new needs it.")
        messages.success(request, told % {"kind": job.get_kind_display()})
    else:
        messages.info(request, _("That work was over already."))
    return redirect("project", slug)
