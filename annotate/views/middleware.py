"""What holds for every request, whichever view answers: its id, its size, and who may keep the answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.signals import user_logged_out
from django.core.signals import request_finished
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from annotate import access
from annotate.forms.unsent import Unsent
from annotate.logs import context as log_context
from annotate.models import User
from annotate.services.logins import second_factors
from annotate.services.people import sessions
from annotate.views.people import entry

PAGE_BYTES = 2 * 1024 * 1024  # guidelines and a thousand labels with descriptions fit
FORM_BYTES = 64 * 1024  # what a form with a file has around the file
CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}
WITH_FILES = {"imports"}  # names of the addresses that take files


def know_request(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Give each request an id, which its lines in the log tell, its answer, and the work that it begins.

    A proxy that is believed may have given it one.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        named = request.headers.get("X-Request-ID", "") if settings.BEHIND_PROXY else ""
        request_id = named if log_context.PLAIN_ID.fullmatch(named) else log_context.new_request_id()
        log_context.begin(request_id)
        response = get_response(request)
        response.headers["X-Request-ID"] = request_id
        return response

    return middleware


@receiver(request_finished)
def forget_request(**_: Any) -> None:
    """NB: only now, as Django logs a refusal after all middleware, and an answer may be written in parts."""
    log_context.begin("")


class LimitBodies:
    """Refuses a body that is too large by its announced length, before Django spools it to the disk.

    The length has to be announced: Django takes a body without one for an empty one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """NB: here and not earlier, as the limit depends on the address and on who is logged in."""
        if strange := _unreadable(request):
            return strange
        try:
            length = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            sentence = _("The request's Content-Length is not a number.")
            return _refusal(request, HTTPStatus.BAD_REQUEST, "bad_length", sentence)
        most = _most(request, kwargs)
        if length <= most:
            return None
        sentence = _("The request is larger than the %(most)s MB that are taken here; send it in parts.") % {
            "most": f"{most // 1024**2:,}"
        }
        return _refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", sentence)


def _unreadable(request: HttpRequest) -> HttpResponse | None:
    """Refuse a request whose headers alone would break what reads or logs it."""
    if any("\0" in value for value in request.headers.values()):
        # Most servers refuse it before. Axes keeps headers in the database, and PostgreSQL takes no NUL.
        sentence = _("A header of the request holds a NUL character.")
        return _refusal(request, HTTPStatus.BAD_REQUEST, "bad_header", sentence)
    if (request.content_params or {}).get("charset", "utf-8").lower() not in CHARSETS:
        # NB: Python also knows codecs that make no text, as rot13, at which forms and queries break.
        sentence = _("The request is in another character set than UTF-8, the only one that is read here.")
        return _refusal(request, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_charset", sentence)
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        sentence = _("The request does not say how long it is; send it with a Content-Length.")
        return _refusal(request, HTTPStatus.LENGTH_REQUIRED, "length_required", sentence)
    return None


def _most(request: HttpRequest, kwargs: dict[str, Any]) -> int:
    """Return how many bytes the body may have; only somebody who may upload a file may send a large one."""
    match = request.resolver_match
    if _is_api(request):
        return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if match is None or match.url_name not in WITH_FILES or not request.user.is_authenticated:
        return PAGE_BYTES
    leads = access.leads(request.user, str(kwargs["slug"]))
    return int(settings.IMPORT_MAX_BYTES) + FORM_BYTES if leads else PAGE_BYTES


def _refusal(request: HttpRequest, status: HTTPStatus, code: str, sentence: str) -> HttpResponse:
    if _is_api(request):
        body = {"type": "about:blank", "title": status.phrase, "status": status, "code": code}
        return JsonResponse(
            {**body, "detail": sentence}, status=status, content_type="application/problem+json"
        )
    return render(request, "refused.html", {"sentence": sentence}, status=status)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


class LoginFirst(LoginRequiredMiddleware):
    """Sends whoever is not logged in to the login page, which carries on what they have typed.

    The labelling page asks by its script, keeps its decisions itself and sees by the redirect what is wrong.
    """

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        refused = super().process_view(request, view_func, view_args, view_kwargs)
        is_form = request.method == "POST" and "HX-Request" not in request.headers
        unsent = Unsent.of(request) if refused and is_form else None
        return entry.login_first(request, unsent) if unsent else refused


class KnowPerson:
    """Notes where a person was last seen, and shows them the site in their own language and time zone.

    A session that was begun without a second factor ends where the site asks for one since. Whoever did not
    choose a language reads that of the browser. Programs are answered in English whatever
    they accept, so that what they log and compare stays the same.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated and second_factors.is_wanting(request.session):
            logout(request)  # what they had typed is offered again when they are back
        user = request.user
        if isinstance(user, User) and user.is_authenticated:
            sessions.note(request, user)
            language, zone = user.language, _zone(user.time_zone)
        else:
            language, zone = "", None
        with timezone.override(zone), translation.override(_language(request, language)):
            request.LANGUAGE_CODE = translation.get_language()
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language())
            return response


def _language(request: HttpRequest, chosen: str) -> str:
    """Return the code of the language to answer in; one that the site no longer has counts as not chosen."""
    if _is_api(request):
        return str(settings.LANGUAGE_CODE)
    return chosen if chosen in dict(settings.LANGUAGES) else translation.get_language()


def _zone(name: str) -> ZoneInfo | None:
    """Return a time zone; None, which means the site's, where it is none that this machine knows."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None


class KeepNothing:
    """Forbids browsers and proxies to keep an answer: pages and exports are for the one who asked.

    Static files are answered before this is reached. A logout has the browser drop what it kept of older
    versions of the site. NB: not its `storage`, where decisions wait that were not sent yet.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response["Cache-Control"] = "no-store"
        if getattr(request, "has_logged_out", False):
            response["Clear-Site-Data"] = '"cache"'
        return response


@receiver(user_logged_out)
def note_logout(request: HttpRequest, **_: Any) -> None:
    request.has_logged_out = True  # type: ignore[attr-defined]
