from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from annotate.models import ApiKey
from annotate.services.people.api_keys import Scope

if TYPE_CHECKING:
    # NB: imported for types only: the body of `APIView` loads this module, which the settings name.
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """Checks what the token may do. What its user may see is decided in `annotate.access`, with a 404."""

    message = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        needed: Scope | None = scopes_of(view).get(request.method or "")
        if needed is None or needed in key.scopes:
            return True
        self.message = _("This token lacks the scope %(scope)s; make one that has it.") % {"scope": needed}
        return False


def scopes_of(view: APIView) -> Mapping[str, Scope]:
    """Return the scope that each method needs; one that is not named needs any valid token."""
    found: Mapping[str, Scope] = getattr(view, "scopes", {})
    return found
