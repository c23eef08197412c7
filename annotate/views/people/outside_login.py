"""The way in by the account of another site, and the connection of the two on one's account page."""

from __future__ import annotations

import time
from dataclasses import asdict
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import Resolver404, resolve
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from annotate.access import open_invitation, signed_in
from annotate.forms.people import ConfirmedForm
from annotate.models import Invitation, User
from annotate.services.logins import oidc, outside_logins
from annotate.services.logins.oidc import Identity, LoginQuestion
from annotate.services.projects.refused import Refused
from annotate.views.people.entry import enter

ASKED = "outside_login"  # in the session, from the question to the answer
ANSWER_SECONDS = 600


@login_not_required
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Send the browser to the other site.

    NB: by a link and not by a form, as the content security policy lets no form end up elsewhere.
    """
    if not oidc.is_configured():
        raise Http404
    wanted = request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    try:
        return redirect(_ask(request, then=wanted if is_ours else resolve_url("projects")))
    except Refused as refusal:
        return _refused(request, str(refusal), HTTPStatus.SERVICE_UNAVAILABLE)


def _ask(request: HttpRequest, **about: Any) -> str:
    question = LoginQuestion.new()
    address = oidc.address(question)
    request.session[ASKED] = {"question": asdict(question), "at": time.time(), **about}
    return address


@login_not_required
@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """Take the other site's answer, if it is one to what this browser has asked."""
    asked = request.session.pop(ASKED, None)
    if not oidc.is_configured() or not asked or time.time() - asked["at"] > ANSWER_SECONDS:
        return _refused(request, _("This login was not begun here, or too long ago. Begin it anew."))
    question = LoginQuestion(**asked["question"])
    if not constant_time_compare(request.GET.get("state", ""), question.state):
        return _refused(request, _("This login was not begun in this browser. Begin it anew."))
    if not (code := request.GET.get("code", "")):
        return _refused(request, _("%(site)s has not let you in.") % {"site": oidc.name()})
    try:
        identity = oidc.answered(code, question)
        if "connect" in asked:
            return _connect(request, asked["connect"], identity)
        then = str(asked["then"])
        invitation = _invitation_at(then)
        user = outside_logins.person_of(identity, invitation=invitation)
    except Refused as refusal:
        return _refused(request, str(refusal))
    if invitation is not None and invitation.used_by == user:  # it was accepted with the new account
        then = resolve_url("project", invitation.project.slug)
    return enter(request, user, then=then)


def _invitation_at(address: str) -> Invitation | None:
    """Return the open invitation whose page somebody came from."""
    try:
        match = resolve(urlsplit(address).path)
    except Resolver404:
        return None
    return open_invitation(match.kwargs["token"]) if match.url_name == "invitation" else None


def _connect(request: HttpRequest, pk: int, identity: Identity) -> HttpResponse:
    """Connect the two accounts, if it is still the same person who asked for it."""
    user = request.user
    if not isinstance(user, User) or user.pk != pk:
        raise Refused(_("You are logged in as somebody else by now. Begin it anew."))
    outside_logins.connect(user=user, identity=identity)
    messages.success(request, _("You can log in by %(site)s from now on.") % {"site": oidc.name()})
    return redirect("account")


def _refused(request: HttpRequest, why: str, status: HTTPStatus = HTTPStatus.FORBIDDEN) -> HttpResponse:
    return render(request, "registration/no_outside_login.html", {"why": why}, status=status)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def connection(request: HttpRequest) -> HttpResponse:
    """Connect one's account with that of the other site, or end that; the password is asked for first."""
    user = signed_in(request.user)
    if not oidc.is_configured():
        raise Http404
    form = ConfirmedForm(request, request.POST if request.method == "POST" else None)
    is_connected, address = user.outside_logins.exists(), ""
    if form.is_valid():
        try:
            if is_connected:
                outside_logins.disconnect(user=user)
                messages.success(request, _("%(site)s lets you in no longer.") % {"site": oidc.name()})
                return redirect("account")
            address = _ask(request, connect=user.pk)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "site": oidc.name(), "is_connected": is_connected, "address": address}
    return render(request, "account/outside_login.html", context, status=status)
