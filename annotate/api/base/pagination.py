from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from annotate.forms.keys import as_key


class Keyset(CursorPagination):
    """Pages by the last key seen, so rows that come in between neither repeat nor hide others."""

    ordering = "pk"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    cursor_query_param = "cursor"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the cursor; one that this site never wrote is a mistake in the request, which is a 400."""
        try:
            cursor = super().decode_cursor(request)
        except (NotFound, ValueError) as error:
            raise ValidationError({"cursor": _broken()}) from error
        sent = request.query_params.get(self.cursor_query_param)
        is_unreadable = bool(sent) and cursor == Cursor(offset=0, reverse=False, position=None)
        is_no_key = cursor and cursor.position is not None and as_key(str(cursor.position)) is None
        if is_unreadable or is_no_key:
            raise ValidationError({"cursor": _broken()})
        return cursor


def _broken() -> str:
    return _("The cursor is broken: take it whole from `next` or `previous` of another page.")
