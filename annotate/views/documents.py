from __future__ import annotations

from dataclasses import asdict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate.access import led_project_for
from annotate.forms.projects import FilterForm
from annotate.models import Annotation
from annotate.services.documents import search
from annotate.services.documents.search import Filters
from annotate.services.labeling import places


@require_safe
def documents(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    filters = _filters(request.GET)
    rows = search.page(search.find(project, filters), before=_number(request.GET, "before"))
    more = len(rows) > search.PAGE
    rows = rows[: search.PAGE]
    context = {
        "project": project,
        "form": FilterForm(project=project, initial=asdict(filters)),
        "is_filtered": filters != Filters(),
        "rows": rows,
        "labels": {label.pk: label.name for label in project.labels.all()},
        "next_url": _next_page(request.GET, rows[-1].pk) if more else "",
        "tab": "documents",
    }
    return render(request, "documents/list.html", context)


def _filters(query: QueryDict) -> Filters:
    """Read the filters; what is not understood is left out, as an old bookmark may name a deleted label."""
    return Filters(
        lane=query.get("lane", ""),
        half=query.get("half", ""),
        outcome=query.get("outcome", ""),
        label=_number(query, "label"),
        decided=_number(query, "decided"),
        annotator=_number(query, "annotator"),
        missed=_number(query, "missed"),
        wrong=_number(query, "wrong"),
        disagree=query.get("disagree") in {"1", "on"},
        q=query.get("q", "").strip(),
    )


def _number(query: QueryDict, name: str) -> int | None:
    value = query.get(name, "")
    # NB: more digits than a database key can have would be an overflow error there.
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _next_page(query: QueryDict, before: int) -> str:
    following = query.copy()
    following["before"] = str(before)
    return f"?{following.urlencode()}"


@require_POST
def return_to_queue(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    annotations = Annotation.objects.filter(project=project).select_related("project")
    annotation = get_object_or_404(annotations, pk=pk)
    if places.return_to_queue(annotation=annotation):
        messages.success(request, _("The document is in the queue again."))
    else:
        messages.info(request, _("The document is answered, or in the queue already."))
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = reverse("documents", args=[slug])
    return redirect(back)
