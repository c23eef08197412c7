"""A project begins with its file: upload, look at what was found in it, name the project, go."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.constraints import ConstraintsForm
from annotate.forms.imports import FileForm, ProjectFileForm, sample_table
from annotate.forms.projects import ProjectForm
from annotate.models.imports import UPLOADED
from annotate.services.imports import job, project_file
from annotate.services.projects import quotas
from annotate.services.projects.refused import Refused
from annotate.services.sentences import translated
from annotate.task_types import TASK_TYPES
from training.records import FileError


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    if request.method != "POST":
        return redirect("project-create")
    form = FileForm(request.POST, request.FILES, auto_id="upload_%s")
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            quotas.check_uploads(user)
            kept = project_file.begin(by=user, file=file, name=file.name or "file")
        except (Refused, FileError) as error:
            form.add_error("file", translated(str(error)))
        else:
            return redirect("import-begin", kept.project.slug, kept.pk)
    context = {"form": ProjectForm(), "asked": ConstraintsForm(), "file_form": form}
    return render(request, "projects/create.html", context, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
def begin(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    kept = get_object_or_404(project.imports.select_related("project"), pk=pk)
    if kept.state != UPLOADED or job.is_gone(kept) or not project_file.is_new(project):
        return redirect("import", slug, pk)
    try:
        rows, mapping, findings = job.preview(kept)
    except FileError as error:
        messages.error(request, translated(str(error)))
        return redirect("imports", slug)
    data = request.POST if request.method == "POST" else None
    form = ProjectFileForm(data, rows=rows, mapping=mapping, findings=findings, project=project)
    if form.is_valid() and "look" not in request.POST:
        try:
            with transaction.atomic():
                if project_file.start(
                    upload=kept, by=signed_in(request.user), mapping=form.mapping(), changes=form.changes()
                ):
                    transaction.on_commit(partial(tasks.wake, [kept]))
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            messages.success(request, _("The project is made. Its file is on its way in."))
            return redirect("import", form.cleaned_data["slug"], pk)
    status = 422 if form.errors else 200
    shown = form.mapping() if form.is_bound and not form.errors else mapping
    task_type = (
        TASK_TYPES[form.cleaned_data["task"]] if form.is_bound and not form.errors else project.task_type
    )
    context = {
        "project": project,
        "upload": kept,
        "form": form,
        "found": project_file.survey(kept, shown, task_type),
        "label_column": shown.label,
        "table": sample_table(rows),
        "tab": "imports",
    }
    return render(request, "imports/begin.html", context, status=status)
