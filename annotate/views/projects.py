"""Making a project and changing what it is: its settings."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.constraints import ConstraintsForm, initial
from annotate.forms.imports import FileForm
from annotate.forms.projects import ProjectForm, ProjectSearchForm, SettingsForm
from annotate.models import Project
from annotate.models.jobs import JobKind
from annotate.models.work import Work
from annotate.services.pages import project_list as listed_projects
from annotate.services.projects import projects as project_service
from annotate.services.projects.refused import Refused
from annotate.services.runs import schedule
from annotate.services.work import jobs


@require_safe
def project_list(request: HttpRequest) -> HttpResponse:
    form = ProjectSearchForm(request.GET)
    page = listed_projects.page(user=signed_in(request.user), words=form.words, number=form.number)
    return render(request, "projects/list.html", {"page": page, "form": form})


def create(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    form, asked = ProjectForm(request.POST or None), ConstraintsForm(request.POST or None)
    if form.is_valid() and asked.is_valid():
        try:
            project = project_service.create_project(
                by=user, constraints=asked.constraints(), **form.cleaned_data
            )
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            return redirect("project", project.slug)
    status = 422 if form.errors or asked.errors else 200
    context = {"form": form, "asked": asked, "file_form": FileForm(auto_id="upload_%s")}
    return render(request, "projects/create.html", context, status=status)


def settings(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    # NB: a form writes into its instance while it validates, so it gets a copy of its own.
    form = SettingsForm(request.POST or None, instance=Project.objects.get(pk=project.pk))
    asked = ConstraintsForm(request.POST or None, initial=initial(project.asked))
    if form.is_valid() and asked.is_valid():
        changes = {**form.cleaned_data, "constraints": asked.constraints()}
        changed = {name for name, value in changes.items() if value != getattr(project, name)}
        user = signed_in(request.user)
        project = project_service.change_settings(project=project, changes=changes, by=user)
        opened: list[Work] = []
        if "constraints" in changed:
            opened += jobs.ask(kind=JobKind.REPORTCARD, project=project)
        if changed.intersection(schedule.CHOSEN_BY):
            opened += jobs.ask(kind=JobKind.RECHOOSE, project=project)
        if changed.intersection(schedule.TUNED_BY):
            opened += schedule.open_at_once(project=project, by=user)
        transaction.on_commit(partial(tasks.wake, opened))
        messages.success(request, _("The settings are saved."))
        return redirect("project-settings", slug)
    context = {"project": project, "form": form, "asked": asked, "tab": "settings"}
    status = 422 if form.errors or asked.errors else 200
    return render(request, "projects/settings.html", context, status=status)
