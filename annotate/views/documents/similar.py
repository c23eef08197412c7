"""The documents that are most like another one, or like a phrase, the most alike first."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from annotate.access import reviewed_project_for
from annotate.forms.documents import PhraseForm, TableForm
from annotate.models import Project
from annotate.services.documents import history, pages
from annotate.services.documents.finding import search
from annotate.services.documents.finding import similar as likeness

BESIDE = 10  # documents that are listed on the page of the one that they are like


@require_safe
def to_document(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show them as a page; to the document's own page, as the part that lists them there."""
    project = reviewed_project_for(request.user, slug)
    document = get_object_or_404(project.documents.select_related("project"), pk=pk)
    fault = likeness.fault(project, document)
    keys = [] if fault else likeness.to_document(document)
    if "HX-Request" in request.headers:
        near, _more = history.near_duplicates(document)  # which the page lists itself
        others = [key for key in keys if key not in {one.pk for one in near}]
        context = {"project": project, "rows": pages.shown(others[:BESIDE]), "fault": fault}
        return render(request, "documents/_similar.html", context)
    context = {"document": document, "fault": fault, "here": urlencode({"similar": pk})}
    return _page(request, project, keys, context)


@require_safe
def to_phrase(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    form = PhraseForm(request.GET)
    phrase = form.cleaned_data["q"] if form.is_valid() else ""
    fault = likeness.fault(project)
    keys = likeness.to_phrase(project, phrase) if phrase and not fault else []
    context = {"form": form, "phrase": phrase, "fault": fault, "here": urlencode({"like": phrase})}
    return _page(request, project, keys, context)


def _page(request: HttpRequest, project: Project, keys: list[int], context: dict[str, Any]) -> HttpResponse:
    table = TableForm(request.GET, project=project)
    shown = {
        "project": project,
        "rows": pages.shown(keys[: pages.PAGE]),
        "compared": likeness.compared(project),
        "nearest": len(keys),
        "table": table,
        "heads": [(name, title, "", "") for name, title in table.columns],
        "search": search.parse(""),
        "labels": {label.pk: label.name for label in project.labels.all()},
        "tab": "documents",
    }
    return render(request, "documents/similar.html", {**shown, **context})
