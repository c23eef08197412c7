"""The page of one document: all that is known of it, and what a lead can do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from annotate import hotkeys, tasks
from annotate.access import reviewed_project_for, signed_in
from annotate.forms.documents import AnswerForm, CommentForm, FilterForm, HandForm, TableForm
from annotate.models import Annotation, Document, OutOfFoldScore, Prediction, Project
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.services.documents import comments, filters, history
from annotate.services.documents.spans import marked
from annotate.services.labeling import corrections, decisions, places
from annotate.services.pages import events as event_log
from annotate.services.runs import schedule
from annotate.services.versions import guesses, predictions
from annotate.views.labeling.card import CardView
from training.types import Answer

LONGEST_NAME = 150  # of an account


@require_safe
def document(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    shown = _document(project, pk)
    if request.method == "GET":
        mine = comments.mentions(project=project, user=signed_in(request.user))
        comments.note_opened(mine.filter(comment__document=shown))
    form = CommentForm(to=request.GET.get("to", "")[:LONGEST_NAME])
    return _show(request, shown, _answer_form(request, shown), form)


@require_POST
def answer(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    shown = _document(project, pk)
    form = AnswerForm(request.POST, project=project, standing=None)
    if not form.is_valid() or form.answer is None:
        return _show(request, shown, form, CommentForm(), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    is_gold = request.POST.get("as") == "gold"
    try:
        corrections.answer(
            document=shown,
            by=signed_in(request.user),
            key=form.cleaned_data["key"],
            answer=form.answer,
            is_gold=is_gold,
            reason=form.cleaned_data["reason"],
        )
    except decisions.Rejected as rejection:
        form.add_error(None, str(rejection))
        return _show(request, shown, form, CommentForm(), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    tasks.wake(schedule.open_if_due(project=project))
    messages.success(
        request,
        _("Your answer is the gold one of this document now.") if is_gold else _("Your answer is kept."),
    )
    return HttpResponseRedirect(_address(shown, _carried(request, project)))


@require_POST
def withdraw(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    annotations = Annotation.objects.filter(project=project).select_related("document__project", "annotator")
    annotation = get_object_or_404(annotations, pk=pk)
    if corrections.withdraw(annotation=annotation, by=signed_in(request.user)):
        messages.success(
            request,
            _("The answer of %(name)s is withdrawn: it stays in the history and counts no more.")
            % {"name": annotation.annotator},
        )
    else:
        messages.info(request, _("Nothing was changed: there is no answer any more to withdraw."))
    carried = _carried(request, project)
    return HttpResponseRedirect(_address(annotation.document, carried))


@require_POST
def comment(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    project = reviewed_project_for(request.user, slug)
    shown = _document(project, pk)
    form = CommentForm(request.POST)
    if not form.is_valid():
        return _show(
            request, shown, _answer_form(request, shown), form, status=HTTPStatus.UNPROCESSABLE_ENTITY
        )
    comments.add(
        document=shown,
        by=signed_in(request.user),
        key=form.cleaned_data["key"],
        text=form.cleaned_data["text"],
    )
    carried = _carried(request, project)
    return HttpResponseRedirect(_address(shown, carried) + "#comments")


@require_POST
def hand_to(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Have one person asked about a document, whoever else was asked before."""
    project = reviewed_project_for(request.user, slug)
    shown, form = _document(project, pk), HandForm(request.POST, project=project)
    carried = _carried(request, project)
    if not form.is_valid():
        messages.error(request, _("Nothing was changed: choose a member of this project."))
    elif places.hand_to(document=shown, person=form.cleaned_data["person"], by=signed_in(request.user)):
        told = _("%(name)s is asked about this document next.")
        messages.success(request, told % {"name": form.cleaned_data["person"]})
    else:
        told = _("%(name)s has answered this document, or has it already.")
        messages.info(request, told % {"name": form.cleaned_data["person"]})
    return HttpResponseRedirect(_address(shown, carried))


def _answer_form(request: HttpRequest, shown: Document) -> AnswerForm:
    own = shown.annotations.answered().filter(annotator=signed_in(request.user)).first()
    return AnswerForm(project=shown.project, standing=own.answer if own else None)


def _document(project: Project, pk: int) -> Document:
    documents = project.documents.select_related(
        "project", "prediction__version", "out_of_fold__version", "source"
    )
    return get_object_or_404(documents, pk=pk)


def _carried(request: HttpRequest, project: Project) -> str:
    """Return the query of the list that the page was opened from, without what cannot be had."""
    narrowed, table = FilterForm(request.GET, project=project), TableForm(request.GET, project=project)
    return urlencode([*narrowed.carried.items(), *table.carried])


def _address(shown: Document, carried: str, name: str = "document") -> str:
    query = f"?{carried}" if carried else ""
    return reverse(name, args=[shown.project.slug, shown.pk]) + query


def _show(
    request: HttpRequest,
    shown: Document,
    form: AnswerForm,
    comment_form: CommentForm,
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    wanted = FilterForm(request.GET, project=shown.project)
    sorting = TableForm(request.GET, project=shown.project).sorting
    listing = filters.listing(shown.project, wanted.wanted, sorting)
    newer, older = history.neighbours(shown, listing, sorting)
    carried = _carried(request, shown.project)
    near, has_more_near = history.near_duplicates(shown)
    is_learned = history.may_have_been_learned(shown)
    folded = history.out_of_fold(shown) if is_learned else None
    told, labels = history.said_of(shown), history.label_names(shown.project)
    context = {
        "project": shown.project,
        "document": shown,
        "form": form,
        "here": _address(shown, carried),
        "send_to": _address(shown, carried, "document-answer"),
        "hand_form": HandForm(project=shown.project),
        "hand_to": _address(shown, carried, "document-hand-to"),
        "comment_form": comment_form,
        "comment_to": _address(shown, carried, "document-comment"),
        "remarks": comments.remarks(shown),
        "query": carried,
        "is_narrowed": bool(wanted.wanted),
        "newer": newer,
        "older": older,
        "told": told,
        "labels": labels,
        "is_learned": is_learned,
        "folded": folded,
        "reasons": [] if is_learned else predictions.reasons_of_document(shown),
        "is_queued": history.is_queued(shown),
        "metadata": history.metadata(shown),
        "near": near,
        "has_more_near": has_more_near,
        "events": [(event.at, event_log.sentence(event)) for event in history.events(shown)],
        "bulk_items": history.bulk_items(shown),
        "tab": "documents",
    }
    if shown.project.task_type.marks_text:
        said = folded if is_learned else getattr(shown, "prediction", None)
        context |= _desk(shown, form, [row.annotation for row in told], labels, said)
    return render(request, "documents/document.html", context, status=status)


def _desk(
    shown: Document,
    form: AnswerForm,
    told: Sequence[Annotation],
    labels: Mapping[int, str],
    said: Prediction | OutOfFoldScore | None,
) -> dict[str, Any]:
    """Return what a lead needs to mark the text: labels with their keys, and what others marked in it."""
    project, model = shown.project, None
    # What is held out is to be answered by people alone, or the figures would be the model's own.
    if said is not None and shown.lane == Lane.POOL:
        name = _("version %(number)s") % {"number": said.version.number}
        model = marked.ModelMarks(name, guesses.told(said.answer, said.version_id))
    rows = marked.together(shown, told, labels, model)
    given = form.answer or Answer()
    chosen = frozenset(map(int, given.labels))
    desk = CardView(project, document=shown, chosen=chosen, marked=given.spans)
    taken = {choice.key for choice in desk.choices}
    takers = [(row.pk, row.annotator.get_username()) for row in told if row.outcome == Outcome.ANSWERED]
    if model is not None:
        takers.append((marked.MODEL, model.name))
    return {
        "desk": desk,
        "desk_commands": json.dumps(hotkeys.of_desk()),
        "marked": rows,
        "offered": marked.as_json(rows, [choice.label.pk for choice in desk.choices]),
        "takers": list(zip_longest(takers, hotkeys.of_people(taken)[: len(takers)], fillvalue="")),
    }
