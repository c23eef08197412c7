"""Files on their way in, for leads: upload, say which column is what, watch it run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.imports import FileForm, MappingForm, declared, label_choices, sample_table
from annotate.models import Import, Project
from annotate.models.imports import UPLOADED
from annotate.services.deletion import imports as deletion
from annotate.services.imports import holdout, job, lanes, missing
from annotate.services.imports.columns import ColumnMapping
from annotate.services.projects import quotas
from annotate.services.projects.refused import Refused
from annotate.services.sentences import translated
from annotate.services.work import lease
from annotate.views import confirmation
from training.records import FileError


@require_http_methods(["GET", "HEAD", "POST"])
def imports(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = FileForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file, user = form.cleaned_data["file"], signed_in(request.user)
        try:
            quotas.check_uploads(user)
            upload = job.begin(project=project, user=user, file=file, name=file.name or "file")
        except (Refused, FileError) as error:
            form.add_error("file", translated(str(error)))
        else:
            return redirect("import", slug, upload.pk)
    context = {"project": project, "form": form, "imports": project.imports.all()[:50], "tab": "imports"}
    return render(request, "imports/list.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def import_(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    upload = get_object_or_404(project.imports, pk=pk)
    if request.method == "POST":
        return _change(request, project, upload)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "imports/_progress.html", _context(project, upload))
    wants_columns = upload.state == UPLOADED or ("columns" in request.GET and not upload.is_live)
    if wants_columns and not job.is_gone(upload):
        return _columns(request, project, upload)
    return render(request, "imports/progress.html", _context(project, upload))


def _context(project: Project, upload: Import) -> dict[str, Any]:
    is_gone, left_out = job.is_gone(upload), missing.told(upload)
    return {
        "project": project,
        "upload": upload,
        "is_gone": is_gone,
        "tab": "imports",
        "percent": min(100, 100 * upload.bytes_read // max(1, upload.file.size))
        if upload.bytes_read and upload.is_live and not is_gone
        else None,
        "lanes": lanes.told(upload),
        "excess": 0 if upload.is_live or upload.dry_run else holdout.is_uneven(project, upload),
        "missing": left_out,
        "unfit": missing.frequent(upload.unfit),
        "spellings": missing.frequent(upload.spellings),
        "may_be_taken_back": deletion.may_be_taken_back(upload),
        "left": upload.documents.count() if upload.removal and not upload.is_live else 0,
        "label_forms": label_choices(None, upload, left_out) if left_out and not is_gone else (),
        "problems": upload.problems.all()[:200],
    }


def _change(request: HttpRequest, project: Project, upload: Import) -> HttpResponse:
    if job.is_gone(upload) and "even_out" not in request.POST:
        return redirect("import", project.slug, upload.pk)  # which says so
    if "redeclare" in request.POST:
        if upload.is_live:
            return redirect("import", project.slug, upload.pk)
        # The file is read anew: another encoding, delimiter, header or sheet changes which columns there are.
        try:
            job.redeclare(upload=upload, declared=declared(request.POST))
        except FileError as error:
            messages.error(request, translated(str(error)))
        return redirect(f"{request.path}?columns=1")
    if "choose_labels" in request.POST:
        forms = label_choices(request.POST, upload, missing.told(upload))
        if not all(form.is_valid() for form in forms):
            context = {**_context(project, upload), "label_forms": forms}
            return render(request, "imports/progress.html", context, status=422)
        mapping = ColumnMapping.load(upload.mapping)
        chosen = {form.label.name: form.chosen for form in forms}
        mapping = replace(mapping, label_choices={**mapping.label_choices, **chosen})
        return _start(request, project, upload, mapping, dry_run=False)
    if "even_out" in request.POST:
        return _even_out(request, project, upload)
    if "repeat" in request.POST:
        return _start(request, project, upload, ColumnMapping.load(upload.mapping), dry_run=False)
    try:
        form = _mapping_form(upload, request.POST)
    except FileError as error:
        messages.error(request, translated(str(error)))
        return redirect("imports", project.slug)
    if not form.is_valid():
        return _columns(request, project, upload, form)
    return _start(request, project, upload, form.mapping(), dry_run="dry_run" in request.POST)


def _even_out(request: HttpRequest, project: Project, upload: Import) -> HttpResponse:
    moved = holdout.even_out(project=project, source=upload, by=signed_in(request.user))
    if moved:
        sentence = ngettext(
            "%(n)d document went to the other lane.", "%(n)d documents went to the other lane.", moved
        )
        messages.success(request, sentence % {"n": moved})
    else:
        messages.info(
            request,
            _("Nothing was moved: people have the documents, or a model is just learning. Try later."),
        )
    return redirect("import", project.slug, upload.pk)


def _start(
    request: HttpRequest,
    project: Project,
    upload: Import,
    mapping: ColumnMapping,
    *,
    dry_run: bool,
) -> HttpResponse:
    with transaction.atomic():
        if job.start(upload=upload, mapping=mapping, dry_run=dry_run, by=signed_in(request.user)):
            transaction.on_commit(partial(tasks.wake, [upload]))
        else:
            messages.warning(request, _("This import is under way already."))
    return redirect("import", project.slug, upload.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def cancel_import(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    upload = get_object_or_404(project.imports, pk=pk)
    if request.method != "POST":
        return confirmation.ask(
            request,
            title=_("Cancel the import of “%(name)s”") % {"name": upload.name},
            told=[
                _("What it has stored stays, and the rest of the file is not read."),
                _(
                    "To go on later, import the file again: rows that are stored already are known then. "
                    "To take back what was stored, delete the documents of the import on its page."
                ),
            ],
            button=_("Cancel the import"),
            back=reverse("import", args=[slug, pk]),
            project=project,
            tab="imports",
        )
    if lease.cancel(row=upload, by=signed_in(request.user)):
        messages.success(request, _("The import is cancelled; what it has stored stays."))
    else:
        messages.info(request, _("The import was not under way any more."))
    return redirect("import", slug, upload.pk)


def _mapping_form(upload: Import, data: Any = None) -> MappingForm:
    rows, mapping, findings = job.preview(upload)
    task_type = upload.project.task_type
    return MappingForm(data, rows=rows, mapping=mapping, findings=findings, task_type=task_type)


def _columns(
    request: HttpRequest, project: Project, upload: Import, form: MappingForm | None = None
) -> HttpResponse:
    try:
        form = form or _mapping_form(upload)
    except FileError as error:
        messages.error(request, translated(str(error)))
        return redirect("imports", project.slug)
    context = {**_context(project, upload), "form": form, "table": sample_table(form.rows)}
    return render(request, "imports/columns.html", context, status=422 if form.errors else 200)
