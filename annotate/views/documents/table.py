from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotate.access import reviewed_project_for, signed_in
from annotate.forms.documents import FilterForm, TableForm, without_place
from annotate.models import Annotation, HandedOnAnswer, Project
from annotate.services.documents import disagreements, filters, orders, pages, saved_views
from annotate.services.documents.finding import search
from annotate.services.documents.spans import agreement
from annotate.services.labeling import decisions, places
from annotate.services.labeling import handed_on as handed_on_service
from annotate.services.pages import overview
from annotate.views import confirmation


@require_safe
def documents(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    form = FilterForm(request.GET, project=project)
    table = TableForm(request.GET, project=project)
    text = form.wanted.get("q", "")
    listing = filters.listing(project, form.wanted, table.sorting)
    if form.wanted and table.after is None and table.until is None:
        page = pages.first_page(listing)
    else:
        page = pages.page(listing, after=table.after, until=table.until)
    is_first = page.back is None
    context = {
        "project": project,
        "form": form,
        "table": table,
        "page": page,
        "rows": page.rows,
        "back_url": _link(request, until=table.sorting.write(page.back)) if page.back else "",
        "next_url": _link(request, after=table.sorting.write(page.following)) if page.following else "",
        "heads": [
            (name, title, table.sorting.direction(name), _link(request, sort=table.sorting.turned(name)))
            if name in orders.ORDERS
            else (name, title, "", "")
            for name, title in table.columns
        ],
        "here": _link(request).removeprefix("?"),
        "views": saved_views.seen_by(signed_in(request.user), project),
        "in_force": [(title, value, _link(request, without=name)) for name, title, value in form.in_force],
        "is_filtered": bool(form.wanted),
        "carried": urlencode(form.carried),
        "hits": _hits(project, form, page) if form.wanted and is_first else None,
        "most_hits": pages.MOST_COUNTED,
        "search": search.parse(text),
        "search_note": search.note(project, text) if text else "",
        "disagreements": disagreements.count(project) if is_first else None,
        "agreement": agreement.of(project) if is_first and project.task_type.marks_text else None,
        "handed_on": handed_on_service.waiting(project).count() if is_first else 0,
        "late_doubles": overview.late_doubles(project) if is_first else 0,
        "labels": {label.pk: label.name for label in project.labels.all()},
        "tab": "documents",
    }
    return render(request, "documents/list.html", context)


def _hits(project: Project, form: FilterForm, page: pages.DocumentPage) -> int:
    return pages.hits(filters.find(project, form.wanted)) if page.hits is None else page.hits


def _link(request: HttpRequest, *, without: str = "", **changed: str) -> str:
    """Return the address of this table at another place; its first page where none is named."""
    query = without_place(request.GET)
    query.pop(without, None)
    for name, value in changed.items():
        query[name] = value
    return f"?{query.urlencode()}"


@require_POST
def return_to_queue(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    annotations = Annotation.objects.filter(project=project).select_related("project")
    annotation = get_object_or_404(annotations, pk=pk)
    if places.return_to_queue(annotation=annotation, by=signed_in(request.user)):
        messages.success(request, _("The document is in the queue again."))
    else:
        messages.info(request, _("The document is answered, or in the queue already."))
    back = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    if not (allowed and back.startswith("/")):
        back = reverse("documents", args=[slug])
    # NB: not `redirect`, which takes a word without a slash for the name of a view.
    return HttpResponseRedirect(back)


@require_safe
def handed_on(request: HttpRequest, slug: str) -> HttpResponse:
    """Show decisions of people who were removed while they labelled."""
    project = reviewed_project_for(request.user, slug)
    rows = [(row, decisions.in_words(row.outcome, row.answer)) for row in handed_on_service.waiting(project)]
    context = {
        "project": project,
        "rows": rows,
        "discarded": handed_on_service.discarded(project),
        "tab": "documents",
    }
    return render(request, "documents/handed_on.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def settle_handed_on(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Keep an answer, take a discarded one back, or discard one, which a GET asks about first."""
    project = reviewed_project_for(request.user, slug)
    row = get_object_or_404(HandedOnAnswer.objects.filter(project=project).select_related("annotator"), pk=pk)
    if request.method != "POST":
        return _ask_to_discard(request, row)
    lead, action = signed_in(request.user), request.POST.get("action", "discard")
    try:
        if action == "accept" and handed_on_service.accept(handed_on=row, by=lead):
            messages.success(request, _("The answer is kept as its annotator's."))
        elif action == "discard" and handed_on_service.discard(handed_on=row, by=lead):
            messages.success(request, _("The answer is discarded. You can take that back for a day, below."))
        elif action == "reopen" and handed_on_service.reopen(handed_on=row, by=lead):
            messages.success(request, _("The answer waits again."))
        else:
            messages.info(request, _("Nothing was changed: another lead has settled this answer."))
    except decisions.Rejected as rejection:
        messages.error(request, _("The answer cannot be kept: %(reason)s") % {"reason": rejection})
    return redirect("handed-on", slug=slug)


def _ask_to_discard(request: HttpRequest, row: HandedOnAnswer) -> HttpResponse:
    said = {"name": row.annotator.get_username(), "answer": decisions.in_words(row.outcome, row.answer)}
    return confirmation.ask(
        request,
        title=_("Discard an answer of %(name)s") % said,
        told=[
            _("%(name)s decided “%(answer)s”. It is not kept, and the document stays as it is.") % said,
            _("You can take this back for a day, on the page of answers that were handed on."),
        ],
        button=_("Discard the answer"),
        back=reverse("handed-on", args=[row.project.slug]),
        project=row.project,
        tab="documents",
    )
