"""What a lead deletes: each page counts what goes and asks first."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.deletion import TypedNameForm
from annotate.models.imports import ImportRemoval
from annotate.services.deletion import document as document_service
from annotate.services.deletion import imports as import_service
from annotate.services.deletion import project as project_service
from annotate.services.projects.refused import Refused


@require_http_methods(["GET", "HEAD", "POST"])
def project(request: HttpRequest, slug: str) -> HttpResponse:
    deleted = led_project_for(request.user, slug)
    form = TypedNameForm(request.POST if request.method == "POST" else None, name=deleted.name)
    if form.is_valid():
        tasks.wake(project_service.delete(project=deleted, by=signed_in(request.user)))
        messages.success(
            request,
            _("The project “%(name)s” is deleted. A worker removes what it held.") % {"name": deleted.name},
        )
        return redirect("projects")
    contents = project_service.contents(deleted)
    context = {"project": deleted, "form": form, "contents": contents, "tab": "settings"}
    return render(request, "deletion/project.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def document(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    of = led_project_for(request.user, slug)
    deleted = get_object_or_404(of.documents.select_related("project"), pk=pk)
    if request.method == "POST":
        try:
            document_service.delete(document=deleted, by=signed_in(request.user))
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("document-delete", slug, pk)
        messages.success(request, _("Document %(pk)d is deleted.") % {"pk": pk})
        return redirect("documents", slug)
    context = {
        "project": of,
        "document": deleted,
        "contents": document_service.contents(deleted),
        "tab": "documents",
    }
    return render(request, "deletion/document.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def import_(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    of = led_project_for(request.user, slug)
    upload = get_object_or_404(of.imports.select_related("project"), pk=pk)
    if request.method == "POST":
        removal = ImportRemoval.UNDO if "undo" in request.POST else ImportRemoval.DOCUMENTS
        try:
            opened = import_service.begin(upload=upload, removal=removal, by=signed_in(request.user))
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("import-delete", slug, pk)
        tasks.wake(opened)
        if not opened:
            messages.info(request, _("Nothing was changed: there is nothing of this import to take back."))
        return redirect("import", slug, pk)
    if not import_service.may_be_taken_back(upload):
        messages.info(request, _("There is nothing of this import to take back."))
        return redirect("import", slug, pk)
    context = {"project": of, "upload": upload, "contents": import_service.contents(upload), "tab": "imports"}
    return render(request, "deletion/import.html", context)
