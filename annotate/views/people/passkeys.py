"""Passkeys of a person: making one, removing one, and logging in by one in place of the password."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth import authenticate
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotate.access import passkey_of, signed_in
from annotate.forms.people import ConfirmedForm, NewPasskeyForm
from annotate.services.logins import passkeys
from annotate.services.projects.refused import Refused
from annotate.views.people.entry import let_in, remember, response_to
from annotate.views.people.second_factor import confirm, show_codes


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    user, is_sent = signed_in(request.user), request.method == "POST"
    form = NewPasskeyForm(request, request.POST if is_sent else None)
    assertion = response_to(request) if is_sent else None
    if form.is_valid():
        try:
            if assertion is None:
                raise Refused(_("The passkey was not made as it should be. Try again."))
            name = form.cleaned_data["name"]
            codes = passkeys.add(user=user, name=name, assertion=assertion, session=request.session)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            return show_codes(request, codes)
    options = remember(request.session, passkeys.ask_for_new(user, passkeys.origin_of(request)))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "account/new_passkey.html", {"form": form, "options": options}, status=status)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    passkey = passkey_of(request.user, pk)
    form = ConfirmedForm(request, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            passkeys.remove(passkey)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The passkey “%(name)s” is removed.") % {"name": passkey.name})
            return redirect("second-factor")
    return confirm(
        request,
        form,
        title=_("Remove the passkey “%(name)s”") % {"name": passkey.name},
        told=_("It lets nobody in any more. Without another second factor your password alone lets you in."),
        button=_("Remove it"),
    )


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """Let somebody in by a passkey alone, as their device has made sure that it is they."""
    if request.user.is_authenticated:
        return redirect("projects")
    wanted = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    then, assertion = wanted if is_ours else "", response_to(request) if request.method == "POST" else None
    status, is_refused = HTTPStatus.OK, False
    if request.method == "POST":
        user = passkeys.owner_of(assertion.response) if assertion else None
        name = user.get_username() if user else ""
        if assertion and authenticate(request, username=name, passkey=assertion) and user:
            return let_in(request, user, then=then or resolve_url("projects"))
        status, is_refused = HTTPStatus.UNPROCESSABLE_ENTITY, True
    options = remember(request.session, passkeys.ask_for_one(passkeys.origin_of(request)))
    context = {"options": options, "next": then, "is_refused": is_refused}
    return render(request, "registration/passkey.html", context, status=status)
