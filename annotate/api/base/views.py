"""What the views of the API share."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from annotate.api.base.pagination import Keyset


def page(view: APIView, request: Request, rows: QuerySet[Any], form: type[BaseSerializer[Any]]) -> Response:
    """Answer with one page of rows and the addresses of its neighbours."""
    keyset = Keyset()
    found = keyset.paginate_queryset(rows, request, view=view)
    return keyset.get_paginated_response(form(found, many=True).data)


def checked(form: type[BaseSerializer[Any]], data: Any) -> dict[str, Any]:
    """Return what a request says in the shape of its serializer, or raise what is wrong with it."""
    filled = form(data=data)
    filled.is_valid(raise_exception=True)
    values: dict[str, Any] = filled.validated_data
    return values
