from __future__ import annotations

from rest_framework.pagination import CursorPagination


class Keyset(CursorPagination):
    """Pages by the last key seen, so rows that come in between neither repeat nor hide others."""

    ordering = "pk"
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 1000
    cursor_query_param = "cursor"
