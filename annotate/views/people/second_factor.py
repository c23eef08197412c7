"""A person's second factors: what they have, setting up an app, and the codes for when it is gone."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import segno
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from annotate.access import signed_in
from annotate.forms.people import ConfirmedForm, NewAppForm
from annotate.forms.unsent import Unsent
from annotate.models import User
from annotate.services import sealing
from annotate.services.logins import second_factors
from annotate.services.projects.refused import Refused

NEW_SECRET = "new_app_secret"  # in the session, sealed, until the app has shown that it knows it


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    context = {
        "app": getattr(user, "authenticator_app", None),
        "passkeys": user.passkeys.order_by("pk"),
        "has_any": second_factors.has_any(user),
        "codes_left": user.recovery_codes.filter(used_at=None).count(),
    }
    return render(request, "account/second_factor.html", context)


def _new_secret(request: HttpRequest, user: User) -> str:
    """Return the secret that this session offers to an app of `user`, the same until the app is set up."""
    kept = request.session.get(NEW_SECRET, {})
    secret = sealing.unseal(kept.get("sealed", "")) if kept.get("user") == user.pk else ""
    if not secret:
        secret = second_factors.new_secret()
        request.session[NEW_SECRET] = {"user": user.pk, "sealed": sealing.seal(secret)}
    return secret


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add_app(request: HttpRequest) -> HttpResponse:
    done = set_up_app(request, signed_in(request.user))
    return done if isinstance(done, HttpResponse) else show_codes(request, done)


def set_up_app(request: HttpRequest, user: User, unsent: Unsent | None = None) -> HttpResponse | list[str]:
    """Show the secret for an app to read, and take the app's first code for a proof that it has.

    Return new recovery codes once that is done, the page until then.
    """
    secret = _new_secret(request, user)
    # On the way in the form before this one, which asked for the password, may have been sent here as well.
    is_sent = request.method == "POST" and "code" in request.POST
    form = NewAppForm(request, request.POST if is_sent else None)
    if form.is_valid():
        try:
            codes = second_factors.add_app(
                user=user, secret=secret, code=form.cleaned_data["code"], session=request.session
            )
        except Refused as refusal:
            form.add_error("code", str(refusal))
        else:
            del request.session[NEW_SECRET]
            return codes
    # In groups of four, as somebody may have to type them.
    groups = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    context = {"form": form, "secret": groups, "unsent": unsent}
    return render(request, "account/new_app.html", context, status=status)


def show_codes(request: HttpRequest, codes: list[str], **context: Any) -> HttpResponse:
    """Show new recovery codes in the answer itself, so that they are kept nowhere from which to show them."""
    messages.success(request, _("Your login asks for the second factor from now on."))
    if not codes:
        return redirect("second-factor")
    return render(request, "account/recovery_codes.html", {"codes": codes, **context})


@login_not_required
@require_safe
def picture(request: HttpRequest) -> HttpResponse:
    """Draw what an app reads. A file of its own, as pages of this site hold nothing that is not their own.

    The session that asks has been offered this secret, maybe on the way in.
    """
    kept = request.session.get(NEW_SECRET, {})
    user, secret = User.objects.filter(pk=kept.get("user")).first(), sealing.unseal(kept.get("sealed", ""))
    if user is None or not secret:
        raise Http404
    code = segno.make(second_factors.app_uri(user, secret), error="m")
    # Black on white in a dark theme as well: not every camera reads it the other way round.
    drawn = code.svg_inline(scale=5, border=4, light="#fff", omitsize=False)
    return HttpResponse(
        drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1), content_type="image/svg+xml"
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def remove_app(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    form = ConfirmedForm(request, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            second_factors.remove_app(user=user)
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The app is removed."))
            return redirect("second-factor")
    return confirm(
        request,
        form,
        title=_("Remove the app"),
        told=_("Its codes work no more. Without another second factor your password alone lets you in."),
        button=_("Remove the app"),
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def renew_codes(request: HttpRequest) -> HttpResponse:
    user = signed_in(request.user)
    if not second_factors.has_any(user):
        raise Http404
    form = ConfirmedForm(request, request.POST if request.method == "POST" else None)
    if form.is_valid():
        codes = second_factors.renew_codes(user=user)
        return render(request, "account/recovery_codes.html", {"codes": codes})
    return confirm(
        request,
        form,
        title=_("New recovery codes"),
        told=_("You get ten new codes; those that you have written down before work no more."),
        button=_("Make new codes"),
    )


def confirm(request: HttpRequest, form: ConfirmedForm, **told: str) -> HttpResponse:
    """Ask for the password before something about the second factor changes."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "account/confirm.html", {"form": form, **told}, status=status)
