"""The OpenAPI description and the page that shows it; nothing is loaded from another site."""

from __future__ import annotations

from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.utils.decorators import method_decorator
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.serializers import BaseSerializer

from annotate.api.base.pagination import Keyset

# Swagger UI writes style attributes, and its style sheet holds icons as data: addresses. Both are allowed
# here because styles and images run no code. Scripts stay as restricted as on every page, which is why
# Swagger's start script has a view of its own.
DOCS_CSP = {"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}

PAGE_PARAMETERS = [
    OpenApiParameter("cursor", str, description="From `next` or `previous` of another page."),
    OpenApiParameter("limit", int, description=f"Rows on a page, at most {Keyset.max_page_size}."),
]


class SchemaView(SpectacularJSONAPIView):
    permission_classes = []
    throttle_classes = []


@method_decorator(csp_update(DOCS_CSP), name="dispatch")
class DocsView(SpectacularSwaggerSplitView):
    permission_classes = []
    throttle_classes = []


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
