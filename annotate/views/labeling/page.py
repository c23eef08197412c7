"""The labelling page: a card, the decision on it, and the way back."""

from __future__ import annotations

import json
import math
import uuid
from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from annotate import access, hotkeys, tasks
from annotate.forms.keys import as_key
from annotate.models import Annotation, Decision, Label, Project, User, WorkList
from annotate.models.annotations import Outcome
from annotate.services.labeling import ahead, decisions, handed_on, queue, work_lists, write_lock
from annotate.services.pages import status_line
from annotate.services.runs import schedule
from annotate.views.labeling import card
from annotate.views.labeling.card import CardView

MOST_CARDS = 1000  # that one request may name


@require_http_methods(["GET", "HEAD", "POST"])
def label(request: HttpRequest, slug: str) -> HttpResponse:
    project = access.project_for(request.user, slug)
    annotator = access.signed_in(request.user)
    if request.method == "POST":
        # Another person made this decision in the same browser; their page keeps it until they log in.
        if request.POST.get("owner", str(annotator.pk)) != str(annotator.pk):
            raise PermissionDenied
        with write_lock.alone:
            return _decide(request, project, annotator)
    work_list = _work_list(request, project)
    if "open" in request.GET:
        decision = access.decision_of(request.user, slug, as_key(request.GET["open"]))
        return _show(request, card.decided_card(project, decision, work_list=work_list))
    if "back" in request.GET:
        key = as_key(request.GET["back"])
        mine = Annotation.objects.filter(project=project, annotator=annotator).select_related("document")
        before = mine.filter(pk=key).first() if key is not None else None
        view = card.previous_card(project, annotator, before=before, work_list=work_list)
        return _show(request, view)
    return _show(request, card.next_card(project, annotator, work_list=work_list))


def _work_list(request: HttpRequest, project: Project) -> WorkList | None:
    """Return the list that the page is on; None where it is on the queue."""
    if "list" not in request.GET:
        return None
    return access.work_list_of(request.user, project, as_key(request.GET["list"]))


@require_POST
def fill(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a page the cards that it should hold behind the one on the screen."""
    project = access.project_for(request.user, slug)
    annotator = access.signed_in(request.user)
    held, labels = _held(request.POST), list(project.labels.live())
    work_list = _work_list(request, project)
    with write_lock.alone, write_lock.in_turn():
        deck = _fill(request, project, annotator, held, labels, work_list)
    return _show_deck(request, project, annotator, deck, held, labels, work_list)


@require_POST
def pulse(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep the leases of a page's cards; answer with the line on progress, and name the cards to let go."""
    project = access.project_for(request.user, slug)
    annotator = access.signed_in(request.user)
    held = _held(request.POST)
    shown = {_uuid(request.POST.get(name, "")) for name in ("card", "waiting")} | {held.shown}
    cards = [card for card in (*shown, *held.ahead) if card]
    queue.renew(project=project, annotator=annotator, cards=cards)
    dropped = [*ahead.past(project=project, annotator=annotator, cards=held.ahead)]
    if held.shown and Decision.objects.filter(card=held.shown).exists():
        dropped.append(held.shown)  # on another page, or another device
    seen = status_line.of(project=project, annotator=annotator)
    work_list = _work_list(request, project)
    context = {
        "project": project,
        "progress": seen,
        "work_list": work_list,
        "left_of_list": work_lists.left(work_list, annotator) if work_list else None,
    }
    response = render(request, "labeling/_status_line.html", context)
    response["Winnow-Dropped"] = " ".join(map(str, dropped))
    return response


@require_POST
def release(request: HttpRequest, slug: str) -> HttpResponse:
    """Give the cards of a closed page back. Nobody reads the answer."""
    access.project_for(request.user, slug)
    annotator = access.signed_in(request.user)
    queue.release(annotator=annotator, cards=_uuids(request.POST, "card"))
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@require_POST
def hand_on(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a decision of somebody who was removed while they labelled; a lead decides what becomes of it."""
    card = access.card_given_to(request.user, slug, request.POST.get("card", ""))
    project, annotator = card.document.project, access.signed_in(request.user)
    if request.POST.get("owner", str(annotator.pk)) != str(annotator.pk):
        raise PermissionDenied
    if access.is_member(annotator, project):
        sentence = _("You may label in this project, so the decision is sent as any other.")
        return _plain(sentence, HTTPStatus.CONFLICT)
    try:
        handed_on.hand_on(card=card, submission=_submission(request.POST, project))
    except decisions.Rejected as rejection:
        return _told(request, _plain(str(rejection), HTTPStatus.UNPROCESSABLE_ENTITY))
    return _told(request, _plain(_("The decision is with the project's leads.")))


def _plain(sentence: str, status: int = HTTPStatus.OK) -> HttpResponse:
    return HttpResponse(sentence, content_type="text/plain; charset=utf-8", status=status)


def _told(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Name the decision that this is the answer to.

    The browser lets a decision go only then: a page of a proxy or a network's log-in page comes with 200 too.
    """
    if card := _uuid(request.POST.get("card", "")):
        response["Winnow-Decision"] = str(card)
    return response


def _decide(request: HttpRequest, project: Project, annotator: User) -> HttpResponse:
    labels = list(project.labels.live())
    # A page without scripts, or one that was opened before an update of the site, holds nothing ahead.
    held = _held(request.POST) if "deck" in request.POST else None
    work_list = _work_list(request, project)
    dealt, deck = None, ahead.Deck((), ())
    try:
        # One transaction for the decision and the next lease: one wait for the disk, not two.
        with write_lock.in_turn():
            kept = decisions.keep(
                project=project,
                annotator=annotator,
                submission=_submission(request.POST, project),
                offered=[label.pk for label in labels],
            )
            if held is not None:
                deck = _fill(request, project, annotator, held, labels, work_list)
            elif labels:
                dealt = queue.deal(project=project, annotator=annotator, work_list=work_list)
    except decisions.Rejected as rejection:
        if held is not None:
            with write_lock.in_turn():
                deck = _fill(request, project, annotator, held, labels, work_list)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            reply = _show_deck(
                request, project, annotator, deck, held, labels, work_list, str(rejection), status
            )
            return _told(request, reply)
        if not request.htmx:  # type: ignore[attr-defined]
            messages.error(request, str(rejection))
            return HttpResponseRedirect(card.address(project, work_list))
        view = card.next_card(project, annotator, notice=str(rejection), work_list=work_list)
        return _told(request, _show(request, view, status=HTTPStatus.UNPROCESSABLE_ENTITY))
    notice = _replaced(kept) if kept.replaced else ""
    tasks.wake(schedule.open_if_due(project=project))
    if not request.htmx:  # type: ignore[attr-defined]
        if notice:
            messages.warning(request, notice)
        return HttpResponseRedirect(card.address(project, work_list))
    if held is not None:
        reply = _show_deck(request, project, annotator, deck, held, labels, work_list, notice)
        return _told(request, reply)
    view = card.shown(project, annotator, dealt, labels=labels, notice=notice, work_list=work_list)
    return _told(request, _show(request, view))


def _fill(
    request: HttpRequest,
    project: Project,
    annotator: User,
    held: ahead.Held,
    labels: list[Label],
    work_list: WorkList | None,
) -> ahead.Deck:
    if not labels:
        return ahead.Deck((), held.ahead)
    mark = request.POST.get("mark", "")
    has_other_labels = mark != CardView(project, labels=labels).mark
    return ahead.fill(
        project=project,
        annotator=annotator,
        held=held,
        is_outdated=has_other_labels,
        work_list=work_list,
    )


def _held(sent: QueryDict) -> ahead.Held:
    return ahead.Held(
        shown=_uuid(sent.get("shown", "")),
        ahead=tuple(_uuids(sent, "ahead")),
        decided=tuple(_uuids(sent, "decided")),
        returned=tuple(_uuids(sent, "returned")),
    )


def _replaced(kept: decisions.Kept) -> str:
    return _(
        "You had answered that card before, perhaps on another page: %(before)s. Now it is: %(after)s. "
        "Go back to change it."
    ) % {
        "before": kept.replaced,
        "after": decisions.in_words(kept.annotation.outcome, kept.annotation.answer),
    }


def _submission(sent: QueryDict, project: Project) -> decisions.Submission:
    card = _uuid(sent.get("card", ""))
    try:
        answer = project.task_type.read_form(sent)
    except ValueError:
        answer = None
    if card is None or answer is None:
        raise decisions.Rejected(_("The decision came without a readable card or label. Decide once more."))
    if sent.get("outcome") == Outcome.ANSWERED and (fault := project.task_type.form_fault(sent, answer)):
        raise decisions.Rejected(fault)
    # A suggestion that waited for the choice or for the text to be read may never have been shown.
    is_hidden = project.hides_suggestions_at_first and sent.get("revealed") != "1"
    return decisions.Submission(
        card=card,
        outcome=sent.get("outcome", ""),
        answer=answer,
        seconds=_seconds(sent.get("seconds", "")),
        # NB: PostgreSQL cannot store a NUL character.
        reason=sent.get("reason", "").replace("\0", "").strip(),
        hid_suggestion=is_hidden,
        digest=sent.get("digest", "")[:64],
    )


def _show(request: HttpRequest, view: CardView, status: int = 200) -> HttpResponse:
    template = "labeling/_card.html" if request.htmx else "labeling/label.html"  # type: ignore[attr-defined]
    commands = hotkeys.commands(view.task_type)
    context = {"project": view.project, "view": view, "commands": json.dumps(commands)}
    if not request.htmx:  # type: ignore[attr-defined]
        context["lists"] = work_lists.with_work(view.project, access.signed_in(request.user))
    return render(request, template, context, status=status)


def _show_deck(
    request: HttpRequest,
    project: Project,
    annotator: User,
    deck: ahead.Deck,
    held: ahead.Held,
    labels: list[Label],
    work_list: WorkList | None,
    notice: str = "",
    status: int = HTTPStatus.OK,
) -> HttpResponse:
    views = card.dealt_cards(project, annotator, deck, held, labels, work_list)
    context = {
        "project": project,
        "views": views,
        "mark": CardView(project, labels=labels).mark,
        "notice": notice,
        "dropped": deck.dropped,
        "returned": held.returned,
    }
    return render(request, "labeling/_deck.html", context, status=status)


def _uuids(sent: QueryDict, name: str) -> list[uuid.UUID]:
    """Return the keys of a field, in one value or in several; what is no key is left out."""
    found = [_uuid(text) for value in sent.getlist(name) for text in value.split()]
    return [key for key in found[:MOST_CARDS] if key]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds < 86_400 else None
