"""A new password for somebody who has forgotten theirs: by a link that they were given."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotate.access import open_password_link
from annotate.forms.people import ForgottenForm, NewPasswordForm
from annotate.services.mail import outbox
from annotate.services.people import password_links
from annotate.services.people.addresses import client_address
from annotate.services.projects.refused import Refused
from annotate.tasks import wake


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Have a link sent, by an answer that does not tell whether there is such an account.

    Where the site sends no mail, say who can help.
    """
    if not outbox.is_configured():
        return render(request, "people/forgotten.html")
    form = ForgottenForm(request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if is_asked := form.is_valid():
        try:
            wake(outbox.ask_for_password(typed=form.cleaned_data["who"], address=client_address(request)))
        except Refused as refusal:
            form.add_error(None, str(refusal))
            is_asked, status = False, HTTPStatus.TOO_MANY_REQUESTS
    elif form.errors:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    return render(request, "people/forgotten.html", {"form": form, "is_asked": is_asked}, status=status)


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def password_link(request: HttpRequest, token: str) -> HttpResponse:
    """Let whoever holds the link set the password of its account, and send them to the login page."""
    link = open_password_link(token)
    if link is None:
        # The same to all: it tells nobody whether there was such a link.
        return render(request, "people/no_password_link.html", status=HTTPStatus.NOT_FOUND)
    form = NewPasswordForm(link.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            password_links.use(link, form.cleaned_data["new_password1"])
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            logout(request)  # whoever was logged in here, maybe with the old password
            messages.success(request, _("Your new password is set. Log in with it."))
            return redirect("login")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    page = render(request, "people/password_link.html", {"link": link, "form": form}, status=status)
    # The address lets somebody in, so that no link on the page may tell it.
    page["Referrer-Policy"] = "strict-origin"
    return page
