from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate.access import reviewed_project_for, signed_in
from annotate.forms.documents import FilterForm
from annotate.models import Annotation, HandedOnAnswer
from annotate.services.documents import disagreements, filters, pages, search
from annotate.services.labeling import decisions, places
from annotate.services.labeling import handed_on as handed_on_service
from annotate.services.pages import overview


@require_safe
def documents(request: HttpRequest, slug: str) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    form = FilterForm(request.GET, project=project)
    found, text = filters.find(project, form.wanted), form.wanted.get("q", "")
    rows = pages.page(found, before=form.before)
    following = request.GET.copy()
    if len(rows) > pages.PAGE:
        rows = rows[: pages.PAGE]
        following["before"] = str(rows[-1].pk)
        next_url = f"?{following.urlencode()}"
    else:
        next_url = ""
    context = {
        "project": project,
        "form": form,
        "is_filtered": bool(form.wanted),
        "hits": pages.hits(found) if form.wanted and not form.before else None,
        "most_hits": pages.MOST_COUNTED,
        "search": search.parse(text),
        "search_note": search.note(project, text) if text else "",
        "disagreements": None if form.before else disagreements.find(project),
        "handed_on": 0 if form.before else handed_on_service.waiting(project).count(),
        "late_doubles": 0 if form.before else overview.late_doubles(project),
        "rows": rows,
        "labels": {label.pk: label.name for label in project.labels.all()},
        "next_url": next_url,
        "tab": "documents",
    }
    return render(request, "documents/list.html", context)


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
    return render(request, "documents/handed_on.html", {"project": project, "rows": rows, "tab": "documents"})


@require_POST
def settle_handed_on(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    row = get_object_or_404(HandedOnAnswer.objects.filter(project=project), pk=pk)
    lead, action = signed_in(request.user), request.POST.get("action", "")
    try:
        if action == "accept" and handed_on_service.accept(handed_on=row, by=lead):
            messages.success(request, _("The answer is kept as its annotator's."))
        elif action == "discard" and handed_on_service.discard(handed_on=row, by=lead):
            messages.success(request, _("The answer is discarded."))
        else:
            messages.info(request, _("Nothing was changed: another lead has settled this answer."))
    except decisions.Rejected as rejection:
        messages.error(request, _("The answer cannot be kept: %(reason)s") % {"reason": rejection})
    return redirect("handed-on", slug=slug)
