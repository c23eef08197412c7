"""Every error of the API as a problem detail (RFC 9457), with a `code` for programs to branch on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.core.signals import got_request_exception
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from annotate.api.base.errors import Problem
from annotate.outages import database

logger = logging.getLogger(__name__)


class DatabaseAway(Problem):
    """The same request may be answered in so many seconds."""

    wait = 5

    def __init__(self) -> None:
        sentence = _("The database is away for a moment. Send the same request again.")
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", sentence)


MEDIA_TYPE = "application/problem+json"


def handler(error: Exception, context: dict[str, Any]) -> Response:
    set_rollback()
    known = _known(error)
    if known is None:
        request = context["request"]._request
        logger.error("The API failed at %s", request.path, exc_info=error)
        # NB: Django never sees this exception; error reporters and its test client listen for this signal.
        got_request_exception.send(sender=type(context["view"]), request=request)
        detail = _("The server failed at this request; its log has the reason.")
        return _response(HTTPStatus.INTERNAL_SERVER_ERROR, "error", detail, [])
    headers = {}
    if challenge := getattr(known, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(known, "wait", None):
        headers["Retry-After"] = str(int(wait))
    codes = known.get_codes()
    code = codes if isinstance(codes, str) else "invalid"
    detail, errors = _describe(known.detail)
    if isinstance(known, Problem) and known.pointer:
        errors = [{"pointer": known.pointer, "detail": detail}]
    return _response(known.status_code, code, detail, errors, headers=headers)


def _known(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound(_("There is nothing at this address that this token's user may see."))
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", _("The request body is too large."))
    if database.is_away(error):
        return DatabaseAway()
    return None


def _describe(detail: Any) -> tuple[str, list[dict[str, str]]]:
    if isinstance(detail, str):
        return str(detail), []
    errors = list(_errors(detail, "#"))
    if len(errors) == 1:
        return errors[0]["detail"], errors
    return _("%(count)s parts of the request are not valid; `errors` names each.") % {
        "count": len(errors)
    }, errors


def _errors(detail: Any, pointer: str) -> Iterator[dict[str, str]]:
    """Yield each error's sentence with the JSON pointer of the field that it is about."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _errors(value, pointer if key == "non_field_errors" else f"{pointer}/{key}")
    elif isinstance(detail, Sequence) and not isinstance(detail, str):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping)
            yield from _errors(value, f"{pointer}/{index}" if nested else pointer)
    else:
        yield {"pointer": pointer, "detail": str(detail)}


def _response(
    status: int,
    code: str,
    detail: str,
    errors: list[dict[str, str]],
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = errors
    return Response(body, status=int(status), headers=headers, content_type=MEDIA_TYPE)
