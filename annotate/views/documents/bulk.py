"""Many documents are changed at once: what is wanted, a preview with its counts, progress, and undo."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.bulk import BulkForm, TypedCountForm, offered
from annotate.forms.documents import FilterForm
from annotate.forms.keys import as_key
from annotate.models import BulkChange, Project
from annotate.models.bulk import PREVIEWED, BulkAction, ItemState
from annotate.services.bulk import consequences, job
from annotate.services.bulk.found import Why
from annotate.services.documents import filters, pages
from annotate.services.projects.refused import Refused
from annotate.services.work import lease

MOST_SELECTED = 1000
KEPT_SHOWN = 50


@require_http_methods(["GET", "HEAD", "POST"])
def bulk_new(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask what is to be done to the documents that are named, or that fit the filter of the address."""
    project, lead = led_project_for(request.user, slug), signed_in(request.user)
    wanted, selected = FilterForm(request.GET, project=project), _selected(request)
    actions = offered(project)
    action = next((one for one in actions if one == request.GET.get("do")), actions[0])
    form = BulkForm(
        request.POST if request.method == "POST" else None, project=project, action=action, by=lead
    )
    refusal = ""
    if selected == []:
        refusal = _("No document was ticked, so there is nothing to change. Go back and tick some.")
    # What a filter cannot mean is left out of a list; here that would change more than was asked for.
    elif not wanted.is_valid() and selected is None:
        refusal = _("The filter asks for what is not there, so nothing can be changed by it. Filter anew.")
    elif form.is_valid():
        try:
            bulk = job.preview(
                project=project,
                by=lead,
                action=action,
                options=form.options,
                wanted=wanted.wanted,
                selected=selected,
            )
        except Refused as error:
            refusal = str(error)
        else:
            return HttpResponseRedirect(_address(request, bulk))
    documents = filters.find(project, wanted.wanted)
    context = {
        "project": project,
        "form": form,
        "refusal": refusal,
        "action": action,
        "actions": [(one, _link(request, one)) for one in actions],
        "hits": len(selected) if selected is not None else pages.hits(documents),
        "most_hits": pages.MOST_COUNTED,
        "query": _query(request, project),
        "earlier": job.newest(project),
        "tab": "documents",
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if refusal or form.errors else HTTPStatus.OK
    return render(request, "bulk/new.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = led_project_for(request.user, slug)
    change = _change(project, pk)
    is_deletion = change.action == BulkAction.DELETE
    sent = request.POST if request.method == "POST" else None
    form = TypedCountForm(sent, count=len(change.keys)) if is_deletion else None
    if request.method == "POST" and (form is None or form.is_valid()):
        try:
            with transaction.atomic():
                rows = job.confirm(bulk=change, by=signed_in(request.user))
                transaction.on_commit(partial(tasks.wake, rows))
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            if not rows:
                messages.info(request, _("This change was begun already."))
        return HttpResponseRedirect(_address(request, change))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form and form.errors else HTTPStatus.OK
    return _show(request, change, form, status)


@require_POST
def undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    change = _change(led_project_for(request.user, slug), pk)
    try:
        with transaction.atomic():
            rows = job.undo(bulk=change, by=signed_in(request.user))
            transaction.on_commit(partial(tasks.wake, rows))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        if not rows:
            messages.info(request, _("This change was undone already."))
    return HttpResponseRedirect(_address(request, change))


@require_POST
def stop(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    change = _change(led_project_for(request.user, slug), pk)
    if lease.cancel(row=_row(change), by=signed_in(request.user)):
        messages.success(request, _("It is stopped; what was changed until now stays."))
    else:
        messages.info(request, _("It was over already."))
    return HttpResponseRedirect(_address(request, change))


def _change(project: Project, pk: int) -> BulkChange:
    rows = project.bulk_changes.exclude(action=BulkAction.UNDO).select_related("project", "by", "work_list")
    return get_object_or_404(rows, pk=pk)


def _row(change: BulkChange) -> BulkChange:
    """Return the row that tells of a change now: its undo, where there is one."""
    return BulkChange.objects.filter(undoes=change).select_related("cancelled_by").first() or change


def _show(
    request: HttpRequest, change: BulkChange, form: TypedCountForm | None, status: int = HTTPStatus.OK
) -> HttpResponse:
    project, row, is_previewed = change.project, _row(change), change.state == PREVIEWED
    until = job.undo_until(change)
    can_undo = until is not None and row is change and change.items.exists()
    is_too_late = until is not None and until <= timezone.now() and change.action != BulkAction.LIST
    kept = change.items.filter(state=ItemState.KEPT).order_by("-document")
    context = {
        "project": project,
        "change": change,
        "row": row,
        "is_previewed": is_previewed,
        "form": form,
        "title": change.get_action_display(),
        "labels": [label.name for label in project.labels.filter(pk__in=change.wanted.labels)],
        "people": change.work_list.people.all() if change.work_list else (),
        "total": len(row.keys),
        "changed": row.counts.get(ItemState.CHANGED, 0),
        "undone": row.counts.get(ItemState.UNDONE, 0),
        "kept_count": row.counts.get(ItemState.KEPT, 0),
        "kept": kept[:KEPT_SHOWN] if row is not change else (),
        "stays": [(why.label, row.counts[why]) for why in Why if row.counts.get(why)],
        "consequences": consequences.told(change) if is_previewed else (),
        "percent": 100 * row.position // max(1, len(row.keys)),
        "until": until,
        "can_undo": can_undo and not is_too_late,
        "is_too_late": can_undo and is_too_late,
        "query": _query(request, project),
        "tab": "documents",
    }
    template = "bulk/_progress.html" if request.htmx else "bulk/change.html"  # type: ignore[attr-defined]
    return render(request, template, context, status=status)


def _selected(request: HttpRequest) -> list[int] | None:
    """Return the documents that were ticked; None where all that fit the filter are meant."""
    if "selected" not in request.GET:
        return None
    named = request.GET.getlist("document")[:MOST_SELECTED]
    return [key for text in named if (key := as_key(text)) is not None]


def _link(request: HttpRequest, action: BulkAction) -> str:
    query = request.GET.copy()
    query["do"] = action.value
    return f"?{query.urlencode()}"


def _address(request: HttpRequest, bulk: BulkChange) -> str:
    return reverse("bulk", args=[bulk.project.slug, bulk.pk]) + _query(request, bulk.project)


def _query(request: HttpRequest, project: Project) -> str:
    """Return the filter that one came from, so that the way back leads to the same list."""
    carried = FilterForm(request.GET, project=project).carried
    return f"?{urlencode(carried)}" if carried else ""
