"""The way in: a password, a second factor where there is one, a form that came too late, and the lock."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import authenticate, login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.contrib.sessions.backends.base import SessionBase
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from annotate.forms.people import CodeForm
from annotate.forms.unsent import Unsent, is_from_here
from annotate.models import User
from annotate.services.logins import oidc, passkeys, second_factors
from annotate.services.logins.passkeys import Assertion, Challenge
from annotate.views.people.second_factor import set_up_app, show_codes

PASSWORDS = "django.contrib.auth.backends.ModelBackend"
SECOND_STEP = "second_step"  # in the session, from the first factor to the second
SECOND_STEP_SECONDS = 600
CHALLENGE = "passkey_challenge"  # in the session, from the page that asks to the response


class EnterView(LoginView):
    """Lets a person in; a form that came after their session had ended is offered again then."""

    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        assert isinstance(user, User)
        return enter(self.request, user, then=self.get_success_url())

    def get_context_data(self, **words: Any) -> dict[str, Any]:
        unsent = Unsent.carried(self.request.POST)
        return super().get_context_data(unsent=unsent, outside=oidc.name(), **words)


def enter(request: HttpRequest, user: User, *, then: str) -> HttpResponse:
    """Let somebody in who has shown the first factor, or ask for the second; `then` is where they go.

    NB: nothing else may log a person in who has an account already.
    """
    unsent = Unsent.carried(request.POST)
    if second_factors.has_any(user):
        _begin_second_step(request.session, user, then)
        return second_step_page(request, user, unsent) if unsent else redirect("second-step")
    if settings.SECOND_FACTOR_REQUIRED:
        _begin_second_step(request.session, user, then)
        return _set_up(request, user, then, unsent) if unsent else redirect("second-factor-first")
    return let_in(request, user, then=then, unsent=unsent, is_sure=False)


def let_in(
    request: HttpRequest, user: User, *, then: str, unsent: Unsent | None = None, is_sure: bool = True
) -> HttpResponse:
    """Open a session for somebody who has shown all that is asked for; `is_sure` with a second factor.

    NB: what the session held before may have been put there by somebody else, for another person to use.
    """
    request.session.flush()
    login(request, user, backend=PASSWORDS)
    request.session[second_factors.SHOWN] = is_sure
    return _offer(request, unsent) if unsent else redirect(then)


def _begin_second_step(session: SessionBase, user: User, then: str) -> None:
    """Remember who is on the way in, in a new session: nobody goes on with one that they knew before."""
    session.flush()
    session[SECOND_STEP] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "at": time.time(),
        "then": then,
    }


def _on_the_way_in(session: SessionBase) -> tuple[User | None, str]:
    """Return who has shown the first factor lately, and where they go; a new password since ends it."""
    begun = session.get(SECOND_STEP)
    if not isinstance(begun, dict) or time.time() - begun["at"] > SECOND_STEP_SECONDS:
        session.pop(SECOND_STEP, None)
        return None, ""
    user = User.objects.filter(pk=begun["user"], is_active=True).first()
    if user is None or not constant_time_compare(begun["password"], user.get_session_auth_hash()):
        session.pop(SECOND_STEP, None)
        return None, ""
    return user, str(begun["then"])


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of somebody who has shown the first."""
    user, then = _on_the_way_in(request.session)
    if user is None:
        return redirect("login")
    name, unsent = user.get_username(), Unsent.carried(request.POST)
    is_by_passkey = "credential" in request.POST
    form = CodeForm(request.POST if request.method == "POST" and not is_by_passkey else None)
    proof: dict[str, Any] = {}
    if is_by_passkey and (assertion := response_to(request)):
        proof = {"passkey": assertion}
    elif form.is_valid():
        proof = {"second_factor": form.cleaned_data["code"]}
    if proof and authenticate(request, username=name, **proof) == user:
        return let_in(request, user, then=then, unsent=unsent)
    if "second_factor" in proof:
        form.add_error("code", _why_not(user))
    return second_step_page(request, user, unsent, form, is_refused=is_by_passkey)


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def set_up_first(request: HttpRequest) -> HttpResponse:
    """Have somebody set up an app before they are let in, where the site wants everybody to have one."""
    user, then = _on_the_way_in(request.session)
    if user is None or second_factors.has_any(user):
        return redirect("login")
    return _set_up(request, user, then, Unsent.carried(request.POST))


def _set_up(request: HttpRequest, user: User, then: str, unsent: Unsent | None) -> HttpResponse:
    done = set_up_app(request, user, unsent)
    if isinstance(done, HttpResponse):
        return done
    let_in(request, user, then=then)
    return show_codes(request, done, then=then, unsent=unsent)


def remember(session: SessionBase, challenge: Challenge) -> str:
    """Keep what a passkey's response is compared with, and return what the page asks the browser."""
    session[CHALLENGE] = challenge.state
    return challenge.options


def response_to(request: HttpRequest) -> Assertion | None:
    """Return what a browser sent in response to the last challenge of its session, which is used up by it."""
    state, response = request.session.pop(CHALLENGE, None), request.POST.get("credential", "")
    return Assertion(response, state, passkeys.origin_of(request)) if state and response else None


def _why_not(user: User) -> str:
    if second_factors.is_shut(user):
        return _("After so many wrong codes the app's are not taken any more. Use a recovery code.")
    return _("This code is not right, or was used already. Wait for the next one.")


def second_step_page(
    request: HttpRequest,
    user: User,
    unsent: Unsent | None,
    form: CodeForm | None = None,
    is_refused: bool = False,
) -> HttpResponse:
    is_wrong = is_refused or (form is not None and bool(form.errors))
    status = HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK
    options = ""
    if user.passkeys.exists():
        options = remember(request.session, passkeys.ask_for_one(passkeys.origin_of(request), user))
    context = {
        "form": form or CodeForm(),
        "unsent": unsent,
        "person": user,
        "is_refused": is_refused,
        "has_codes": second_factors.takes_codes(user),
        "options": options,
    }
    return render(request, "registration/second_step.html", context, status=status)


@login_not_required
@require_safe
def of_administrators(request: HttpRequest) -> HttpResponse:
    """Send on from the admin's own login page, so that there is one way in, which asks for all it must."""
    if request.user.is_authenticated:
        if not admin.site.has_permission(request):
            raise Http404  # the admin would send them here again, without end
        return redirect("admin:index")
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


def login_first(request: HttpRequest, unsent: Unsent, status: int = HTTPStatus.FORBIDDEN) -> HttpResponse:
    """Show the login page, which carries a form on until its person is known."""
    context = {"form": AuthenticationForm(request), "unsent": unsent, "outside": oidc.name()}
    return render(request, "registration/login.html", context, status=status)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form whose token is not the session's: what its own page sent can be sent again."""
    unsent = Unsent.of(request) if is_from_here(request) else None
    if unsent and request.user.is_authenticated:
        return _offer(request, unsent, status=HTTPStatus.FORBIDDEN)
    if unsent:
        return login_first(request, unsent)
    return render(request, "403_csrf.html", status=HTTPStatus.FORBIDDEN)


def _offer(request: HttpRequest, unsent: Unsent, status: int = HTTPStatus.OK) -> HttpResponse:
    return render(request, "account/unsent.html", {"unsent": unsent}, status=status)


def locked_out(request: HttpRequest, response: HttpResponse, credentials: Any) -> HttpResponse:
    """Answer in place of a page that took one password too many; axes calls it."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    page = render(
        request,
        "account/locked_out.html",
        {"minutes": seconds // 60},
        status=HTTPStatus.TOO_MANY_REQUESTS,
    )
    page["Retry-After"] = str(seconds)
    return page
