"""A project's labels: a table of all of them, and what is done to one."""

from __future__ import annotations

from functools import partial

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from annotate import tasks
from annotate.access import led_project_for, signed_in
from annotate.forms.keys import as_key
from annotate.forms.projects import LabelForm, NewLabelsForm, SplitForm
from annotate.models import Label, Project, User
from annotate.services.bulk import splitting
from annotate.services.projects import labels as label_service
from annotate.services.projects import merging
from annotate.services.projects.labels import LabelEdit
from annotate.services.projects.refused import Refused
from annotate.views import confirmation


def labels(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    rows = _label_forms(request, project)
    if request.method == "POST" and all(form.is_valid() for _label, form in rows):
        edits = [LabelEdit(pk=label.pk, **form.cleaned_data) for label, form in rows]
        try:
            label_service.update_labels(project=project, edits=edits, by=signed_in(request.user))
        except Refused as refusal:
            # It is about several labels together, so it stands with the first of them.
            rows[0][1].add_error(None, str(refusal))
        else:
            messages.success(request, _("The labels are saved."))
            return redirect("project-labels", slug)
    return _labels_page(request, project, rows, NewLabelsForm(project=project))


@require_POST
def add_labels(request: HttpRequest, slug: str) -> HttpResponse:
    project = led_project_for(request.user, slug)
    form = NewLabelsForm(request.POST, project=project)
    if form.is_valid():
        try:
            label_service.add_labels(project=project, by=signed_in(request.user), **form.cleaned_data)
        except Refused as refusal:
            form.add_error("labels", str(refusal))
        else:
            return redirect("project-labels", slug)
    return _labels_page(request, project, _label_forms(None, project), form)


LabelForms = list[tuple[Label, LabelForm]]


def _label_forms(request: HttpRequest | None, project: Project) -> LabelForms:
    """Return each label with its form, filled in as it was sent, else as the label is."""
    sent = request.POST or None if request else None
    rows = []
    for label in project.labels.live().annotate(used=Count("choices")):
        initial = {"name": label.name, "hotkey": label.hotkey, "description": label.description}
        rows.append((label, LabelForm(sent, initial=initial, prefix=str(label.pk))))
    return rows


def _labels_page(
    request: HttpRequest, project: Project, rows: LabelForms, new: NewLabelsForm
) -> HttpResponse:
    forms = [form for _label, form in rows]
    context = {
        "project": project,
        "rows": rows,
        "forms": [*forms, new],
        "archived": project.labels.exclude(archived_at=None)
        .annotate(used=Count("choices"))
        .select_related("merged_into"),
        "new": new,
        "tab": "labels",
    }
    status = 422 if any(form.errors for form in [*forms, new]) else 200
    return render(request, "scheme/labels.html", context, status=status)


@require_POST
def order_labels(request: HttpRequest, slug: str) -> HttpResponse:
    """Put the labels into an order that was dragged together, or move one by a step."""
    project = led_project_for(request.user, slug)
    order = list(project.labels.live().values_list("pk", flat=True))
    if sent := [key for text in request.POST.getlist("order") if (key := as_key(text)) is not None]:
        order = sent
    else:
        _step(order, request.POST.get("up", ""), -1)
        _step(order, request.POST.get("down", ""), 1)
    label_service.reorder(project=project, order=order, by=signed_in(request.user))
    return redirect("project-labels", slug)


def _step(order: list[int], name: str, by: int) -> None:
    place = order.index(key) if (key := as_key(name)) in order else None
    if place is not None and 0 <= place + by < len(order):
        order[place], order[place + by] = order[place + by], order[place]


@require_http_methods(["GET", "HEAD", "POST"])
def label(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show what a label is used for and what can be done to it; a POST splits it."""
    project, lead = led_project_for(request.user, slug), signed_in(request.user)
    label = get_object_or_404(project.labels.live().select_related("project"), pk=pk)
    form = _split_form(label, lead, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            with transaction.atomic():
                rows = splitting.split(
                    label=label,
                    parts=form.cleaned_data["labels"],
                    people=form.cleaned_data["people"],
                    by=lead,
                )
                transaction.on_commit(partial(tasks.wake, rows))
        except Refused as refusal:
            form.add_error("labels", str(refusal))
        else:
            told = _(
                "“%(name)s” is split: it is archived, and its documents are a list to be labelled again."
            )
            messages.success(request, told % {"name": label.name})
            return redirect("bulk", slug, rows[0].pk) if rows else redirect("project-labels", slug)
    return _label_page(request, label, form)


def _split_form(label: Label, by: User, sent: QueryDict | None = None) -> SplitForm:
    return SplitForm(sent, people=label.project.people_to_ask(by), by=by.pk)


def _label_page(request: HttpRequest, label: Label, form: SplitForm) -> HttpResponse:
    others = label.project.labels.live().exclude(pk=label.pk)
    context = {
        "project": label.project,
        "label": label,
        "use": merging.use_of(label),
        "others": others,
        "form": form,
        "tab": "labels",
    }
    return render(request, "scheme/label.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def merge_label(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Say what becomes of a label's answers, then let it be the other one that the address names."""
    project = led_project_for(request.user, slug)
    label = get_object_or_404(project.labels.select_related("project"), pk=pk)
    named = as_key(request.POST.get("into") or request.GET.get("into", "")) or 0
    into = project.labels.live().exclude(pk=pk).filter(pk=named).first()
    if into is None:
        messages.error(request, _("Choose the label that “%(name)s” is to become.") % {"name": label.name})
        return _label_page(request, label, _split_form(label, signed_in(request.user)))
    try:
        if request.method != "POST":
            return _ask_to_merge(request, label, into)
        with transaction.atomic():
            opened = merging.merge(label=label, into=into, by=signed_in(request.user))
            transaction.on_commit(partial(tasks.wake, opened))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = _("“%(name)s” is “%(into)s” from now on. A worker changes its answers.")
        messages.success(request, told % {"name": label.name, "into": into.name})
    return redirect("project-labels", slug)


def _ask_to_merge(request: HttpRequest, label: Label, into: Label) -> HttpResponse:
    names = {"name": label.name, "into": into.name}
    return confirmation.ask(
        request,
        title=_("Merge “%(name)s” into “%(into)s”") % names,
        told=merging.consequences(label, into),
        button=_("Merge them"),
        back=reverse("project-label", args=[label.project.slug, label.pk]),
        project=label.project,
        tab="labels",
    )


@require_POST
def archive_label(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    label = get_object_or_404(led_project_for(request.user, slug).labels, pk=pk)
    kept = label_service.archive_label(label=label, by=signed_in(request.user))
    messages.success(
        request,
        ngettext(
            "“%(name)s” is archived; %(kept)d annotation keeps it, and models no longer learn it.",
            "“%(name)s” is archived; %(kept)d annotations keep it, and models no longer learn it.",
            kept,
        )
        % {"name": label.name, "kept": kept},
    )
    return redirect("project-labels", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def restore_label(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Offer an archived label again; one that was merged gets its answers back, which a GET tells of."""
    project = led_project_for(request.user, slug)
    label = get_object_or_404(project.labels.select_related("project", "merged_into"), pk=pk)
    if request.method != "POST":
        return _ask_to_restore(request, label)
    with transaction.atomic():
        opened = label_service.restore_label(label=label, by=signed_in(request.user))
        transaction.on_commit(partial(tasks.wake, opened))
    told = _("“%(name)s” is offered again.")
    if label.is_returning:
        told = _("“%(name)s” is offered again. A worker gives it its answers back.")
    messages.success(request, told % {"name": label.name})
    return redirect("project-labels", slug)


def _ask_to_restore(request: HttpRequest, label: Label) -> HttpResponse:
    names = {"name": label.name, "into": label.merged_into.name if label.merged_into else ""}
    title, button = _("Restore “%(name)s”"), _("Restore")
    told = [_("“%(name)s” is offered again, and models learn it again.") % names]
    if label.merged_into:
        title, button = _("Take back that “%(name)s” was merged into “%(into)s”"), _("Take the merge back")
        told = merging.consequences_of_return(label)
    return confirmation.ask(
        request,
        title=title % names,
        told=told,
        button=button,
        back=reverse("project-labels", args=[label.project.slug]),
        project=label.project,
        tab="labels",
    )
