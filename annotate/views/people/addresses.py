"""A person's e-mail address: another one is theirs once they have opened a link that was sent to it."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotate.access import open_address_link, signed_in
from annotate.forms.people import AddressForm
from annotate.services.mail import outbox
from annotate.services.projects.refused import Refused
from annotate.tasks import wake


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def address(request: HttpRequest) -> HttpResponse:
    """Ask for another address and the password, and send a link to that address."""
    user = signed_in(request.user)
    if not outbox.is_configured():
        raise Http404  # the account page takes the address then, as nothing can be sent to it
    form = AddressForm(request, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            mails = outbox.confirm_address(user=user, address=form.cleaned_data["email"])
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            wake(mails)
            messages.success(
                request,
                _("A link is being sent to %(address)s. It is your address once you have opened that.")
                % {"address": form.cleaned_data["email"]},
            )
            return redirect("account")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "account/address.html", {"form": form}, status=status)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def address_link(request: HttpRequest, token: str) -> HttpResponse:
    """Confirm an address for whoever holds the link that was sent to it.

    NB: by a button, as mail servers open links to look at what is behind them.
    """
    link = open_address_link(token)
    if link is None:
        return render(request, "people/no_address_link.html", status=HTTPStatus.NOT_FOUND)
    if request.method == "POST":
        try:
            wake(outbox.change_address(link))
            messages.success(request, _("%(address)s is your address now.") % {"address": link.address})
        except Refused as refusal:
            messages.error(request, str(refusal))
        return redirect("account" if request.user.is_authenticated else "login")
    page = render(request, "people/address_link.html", {"link": link})
    page["Referrer-Policy"] = "strict-origin"
    return page
