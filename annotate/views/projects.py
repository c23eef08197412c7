"""Making a project and changing what it is: settings, labels, members."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.constraints import ConstraintsForm, initial
from annotate.forms.imports import FileForm
from annotate.forms.projects import LabelForm, LabelsForm, ProjectForm, ProjectSearchForm, SettingsForm
from annotate.models import Label, Project
from annotate.models.jobs import JobKind
from annotate.models.work import Work
from annotate.services.pages import project_list as listed_projects
from annotate.services.projects import labels as label_service
from annotate.services.projects import projects as project_service
from annotate.services.projects.labels import LabelEdit
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
            opened += schedule.open_to_tune(project=project, by=user)
        transaction.on_commit(partial(tasks.wake, opened))
        messages.success(request, _("The settings are saved."))
        return redirect("project-settings", slug)
    context = {"project": project, "form": form, "asked": asked, "tab": "settings"}
    status = 422 if form.errors or asked.errors else 200
    return render(request, "projects/settings.html", context, status=status)


def labels(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    rows = _label_forms(request, project)
    if request.method == "POST" and all(form.is_valid() for _label, form in rows):
        edits = [LabelEdit(pk=label.pk, **form.cleaned_data) for label, form in rows]
        try:
            label_service.update_labels(project=project, edits=edits, by=signed_in(request.user))
        except Refused as refusal:
            # It is about several labels together, so it stands with the first of them.
            rows[0][1].add_error(None, str(refusal))
        else:
            messages.success(request, _("The labels are saved."))
            return redirect("project-labels", slug)
    return _labels_page(request, project, rows, LabelsForm())


@require_POST
def add_labels(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = LabelsForm(request.POST)
    if form.is_valid():
        try:
            wanted = form.cleaned_data["labels"]
            label_service.add_labels(project=project, labels=wanted, by=signed_in(request.user))
        except Refused as refusal:
            form.add_error("labels", str(refusal))
        else:
            return redirect("project-labels", slug)
    return _labels_page(request, project, _label_forms(None, project), form)


LabelForms = list[tuple[Label, LabelForm]]


def _label_forms(request: HttpRequest | None, project: Project) -> LabelForms:
    """Return each label with its form, filled in as it was sent, else as the label is."""
    sent = request.POST or None if request else None
    rows = []
    for label in project.labels.live().annotate(used=Count("choices")):
        initial = {"name": label.name, "hotkey": label.hotkey, "description": label.description}
        rows.append((label, LabelForm(sent, initial=initial, prefix=str(label.pk))))
    return rows


def _labels_page(request: HttpRequest, project: Project, rows: LabelForms, new: LabelsForm) -> HttpResponse:
    forms = [form for _label, form in rows]
    context = {
        "project": project,
        "rows": rows,
        "forms": [*forms, new],
        "archived": project.labels.exclude(archived_at=None).annotate(used=Count("choices")),
        "new": new,
        "tab": "labels",
    }
    status = 422 if any(form.errors for form in [*forms, new]) else 200
    return render(request, "projects/labels.html", context, status=status)


@require_POST
def archive_label(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    label = get_object_or_404(led_project_for(request.user, slug).labels, pk=pk)
    kept = label_service.archive_label(label=label, by=signed_in(request.user))
    messages.success(
        request,
        ngettext(
            "“%(name)s” is archived; %(kept)d annotation keeps it, and models no longer learn it.",
            "“%(name)s” is archived; %(kept)d annotations keep it, and models no longer learn it.",
            kept,
        )
        % {"name": label.name, "kept": kept},
    )
    return redirect("project-labels", slug)


@require_POST
def restore_label(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    label = get_object_or_404(led_project_for(request.user, slug).labels, pk=pk)
    label_service.restore_label(label=label, by=signed_in(request.user))
    messages.success(request, _("“%(name)s” is offered again.") % {"name": label.name})
    return redirect("project-labels", slug)
