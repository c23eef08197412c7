"""The page of a list that a lead has made for named people: how far it is, and the way into it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from annotate import access
from annotate.models import BulkChange
from annotate.models.bulk import BulkAction
from annotate.services.labeling import work_lists
from annotate.views.labeling.card import address


@require_safe
def work_list(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    shown = access.work_list_shown_to(request.user, slug, pk)
    person = access.signed_in(request.user)
    progress = work_lists.progress(shown)
    own = next((share for share in progress.shares if share.person == person), None)
    is_lead = access.is_lead(person, shown.project)
    context = {
        "project": shown.project,
        "work_list": shown,
        "progress": progress,
        "own": own,
        "label_at": address(shown.project, shown),
        "change": BulkChange.objects.filter(work_list=shown, action=BulkAction.LIST).first()
        if is_lead
        else None,
        "sees_project": access.reviews(person, shown.project),
        "tab": "documents",
    }
    return render(request, "labeling/work_list.html", context)
