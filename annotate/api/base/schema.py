"""The OpenAPI description and the page that shows it; nothing is loaded from another site."""

from __future__ import annotations

from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from annotate.api.base.auth import TokenAuthentication
from annotate.api.base.pagination import Keyset

# Swagger UI writes style attributes, and its style sheet holds icons as data: addresses. Both are allowed
# here because styles and images run no code. Scripts stay as restricted as on every page, which is why
# Swagger's start script has a view of its own.
DOCS_CSP = {"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}

PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="From `next` or `previous` of another page."),
    OpenApiParameter("limit", int, description=f"Rows on a page, at most {Keyset.max_page_size}."),
]


def without_former_addresses(endpoints: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Leave out addresses that only programs from before version 0.1 ask for; they answer all the same."""
    return [endpoint for endpoint in endpoints if "/models" not in endpoint[0]]


class _BehindLogin(APIView):
    """For whoever is logged in, by a session as people are or by a token; it changes nothing.

    NB: without `options`, which would describe the page by rendering its template.
    """

    authentication_classes = [TokenAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]
    throttle_classes = []
    http_method_names = ["get", "head"]


class SchemaView(_BehindLogin, SpectacularJSONAPIView):
    pass


@method_decorator(csp_update(DOCS_CSP), name="dispatch")
class DocsView(_BehindLogin, SpectacularSwaggerSplitView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Send a person to the login page; a program that came with a token is told what is wrong with it."""
        if not request.user.is_authenticated and "Authorization" not in request.headers:
            return redirect_to_login(request.get_full_path())
        return super().dispatch(request, *args, **kwargs)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "annotate.api.base.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token made under /account/keys/."}


def paged(form: type[BaseSerializer[Any]]) -> BaseSerializer[Any]:
    """Describe one page of `form`'s rows."""
    name = form.__name__.removesuffix("Serializer")
    found: BaseSerializer[Any] = inline_serializer(
        f"{name}Page",
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": form(many=True),
        },
    )
    return found
