"""A person's own account: what they say of themselves, their password, and where they are logged in."""

from __future__ import annotations

from copy import copy
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.password_validation import password_validators_help_texts
from django.forms import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, ngettext, override
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from annotate.access import session_of, signed_in
from annotate.forms.people import AccountForm
from annotate.services.logins import oidc
from annotate.services.people import sessions
from annotate.views import confirmation


class OwnPasswordForm(PasswordChangeForm):
    """Asks for the old password as a login does, so that guesses at it are counted and logged alike."""

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        self.request = request
        super().__init__(signed_in(request.user), data)
        # Django's list would end the paragraph that the help of a field is shown in.
        self.fields["new_password1"].help_text = " ".join(password_validators_help_texts())

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=old) != self.user:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    form = OwnPasswordForm(request, request.POST or None)
    if form.is_valid():
        user = form.save()
        update_session_auth_hash(request, user)
        messages.success(
            request, _("Your password is changed. Your API keys and your sessions elsewhere have ended.")
        )
        return redirect("account-password")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "account/password.html", {"form": form}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    # NB: a form writes into its instance while it validates, so it gets a copy of its own.
    form = AccountForm(request.POST if request.method == "POST" else None, instance=copy(user))
    if form.is_valid():
        saved = form.save()
        with override(saved.language or get_language()):  # the next page speaks it already
            messages.success(request, _("Your account is saved."))
        return redirect("account")
    context = {
        "form": form,
        "sessions": sessions.open_of(user),
        "here": request.session.session_key,
        "outside": oidc.name(),
    }
    return render(request, "account/account.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    found = session_of(request.user, pk)
    if request.method != "POST":
        return _ask_to_end(request, found[0].browser)
    if sessions.end(found.exclude(session_key=request.session.session_key)):
        messages.success(request, _("That session has ended; the browser is asked to log in."))
    return redirect("account")


def _ask_to_end(request: HttpRequest, browser: str) -> HttpResponse:
    return confirmation.ask(
        request,
        title=_("End the session in %(browser)s") % {"browser": browser},
        told=[
            _("That browser is asked to log in at its next step; you can log in there again at any time."),
            _("Decisions that it has not sent yet stay in it, and are sent once you are logged in again."),
        ],
        button=_("End the session"),
        back=reverse("account"),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _ask_to_end(request, _("all other browsers"))
    others = sessions.open_of(signed_in(request.user)).exclude(session_key=request.session.session_key)
    ended = sessions.end(others)
    messages.success(
        request, ngettext("%(n)d session has ended.", "%(n)d sessions have ended.", ended) % {"n": ended}
    )
    return redirect("account")


@require_safe
def waiting(request: HttpRequest) -> HttpResponse:
    """Show what this browser has not sent yet. The list is made there: the server does not know it."""
    signed_in(request.user)
    return render(request, "account/waiting.html", {"is_leaving": "leaving" in request.GET})


@login_not_required
@require_safe
def kept(request: HttpRequest) -> HttpResponse:
    """Let somebody who cannot log in save what this browser keeps; the server adds nothing to the page."""
    return render(request, "account/kept.html")
