"""How the API reads and writes: JSON that can be stored, of a limited size, whatever `Accept` asks for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from annotate.api.base.errors import Problem
from training.storable import DEPTH_ONLY, json_fault, mended, whole


class FirstRenderer(BaseContentNegotiation):
    """Gives JSON to a client that asks for HTML as well: a readable answer is better than a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class LimitedJSONParser(JSONParser):
    """Takes JSON in UTF-8 whose every name and value could be stored; names the place of one that could not.

    The length is limited before anything is read: see `annotate.views.middleware`.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            # NB: without `parse_constant`: NaN becomes a number that is found below, with its place.
            data = json.loads(stream.read().decode("utf-8-sig"), parse_int=whole)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        except UnicodeDecodeError as error:
            sentence = _("The request is not in UTF-8, from byte %(place)s on.") % {"place": error.start}
            raise ParseError(sentence) from error
        except json.JSONDecodeError as error:
            sentence = _("The request is not JSON, from line %(line)s, character %(column)s on: %(reason)s.")
            told = {"line": error.lineno, "column": error.colno, "reason": error.msg}
            raise ParseError(sentence % told) from error
        if fault := json_fault(data, DEPTH_ONLY):
            sentence = _("This %(reason)s; nothing was stored.") % {"reason": fault.reason}
            raise Problem(HTTPStatus.BAD_REQUEST, "invalid", sentence, f"#{fault.pointer}")
        return data


class LastingRenderer(JSONRenderer):
    """Writes JSON also of rows that an earlier version let in, which the parser would refuse today."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except ValueError:  # half a character, or a number that is not finite
            return super().render(mended(data), accepted_media_type, renderer_context)
