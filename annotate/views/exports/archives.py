"""Projects that come from an archive, for administrators, and from another project, for its leads."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from annotate import tasks
from annotate.access import led_project_for, signed_in, site_administrator
from annotate.forms.archives import ArchiveForm, DuplicateForm
from annotate.models import Restoration
from annotate.services.archives import job
from annotate.services.archives.reading import ArchiveError
from annotate.services.projects.refused import Refused


@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HttpRequest) -> HttpResponse:
    """Take an archive. It brings answers in people's names and models, hence administrators alone."""
    by = site_administrator(request.user)
    form = ArchiveForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            row = job.begin(file=file, name=file.name or "file", by=by)
        except ArchiveError as error:
            form.add_error("file", str(error))
        else:
            transaction.on_commit(partial(tasks.wake, [row]))
            return redirect("restoration", row.pk)
    return render(request, "archives/restore.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def restoration(request: HttpRequest, pk: int) -> HttpResponse:
    site_administrator(request.user)
    row = get_object_or_404(Restoration.objects.select_related("project"), pk=pk)
    return render(request, "archives/progress.html", {"row": row})


@require_http_methods(["GET", "HEAD", "POST"])
def duplicate(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = DuplicateForm(request.POST or None, project=project)
    if form.is_valid():
        asked = form.cleaned_data
        try:
            with transaction.atomic():
                made, rows = job.duplicate(
                    project=project,
                    name=asked["name"],
                    slug=asked["slug"],
                    with_documents=asked["documents"],
                    by=signed_in(request.user),
                )
                transaction.on_commit(partial(tasks.wake, rows))
        except Refused as refusal:
            form.add_error(refusal.field, str(refusal))
        else:
            if rows:
                messages.success(request, _("The project is made; its documents are being copied."))
            else:
                messages.success(
                    request, _("The project is made, with labels and settings and no documents.")
                )
            return redirect("project", made.slug)
    context = {"project": project, "form": form, "tab": "settings"}
    return render(request, "archives/duplicate.html", context, status=422 if form.errors else 200)
