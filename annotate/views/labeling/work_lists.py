"""The page of a list that a lead has made for named people: how far it is, and the way into it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import access
from annotate.forms.projects import ListPeopleForm
from annotate.models import BulkChange, User, WorkList
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
        "people_form": _people_form(shown, person, None) if is_lead and not shown.closed_at else None,
        "sees_project": access.reviews(person, shown.project),
        "tab": "documents",
    }
    return render(request, "labeling/work_list.html", context)


@require_POST
def change_people(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project, lead = access.led_project_for(request.user, slug), access.signed_in(request.user)
    shown = get_object_or_404(project.work_lists.filter(closed_at=None).select_related("project"), pk=pk)
    form = _people_form(shown, lead, request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose at least one person, or close the list."))
    elif work_lists.change_people(work_list=shown, people=form.cleaned_data["people"], by=lead):
        messages.success(request, _("The list is theirs from now on. What others have open stays with them."))
    return redirect("work-list", slug, pk)


def _people_form(shown: WorkList, lead: User, sent: QueryDict | None) -> ListPeopleForm:
    now = list(shown.people.values_list("pk", flat=True))
    # Who is on the list and no member any more is offered as well, so that leaving them is a choice.
    names = dict(shown.project.people_to_ask(lead)) | dict(shown.people.values_list("pk", "username"))
    return ListPeopleForm(sent, people=list(names.items()), now=now)
