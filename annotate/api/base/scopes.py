from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from annotate.models import ApiKey
from annotate.services.people.api_keys import Scope

if TYPE_CHECKING:
    # NB: imported for types only: the body of `APIView` loads this module, which the settings name.
    from rest_framework.views import APIView

# What a view says of a method that any valid token may use.
ANY_TOKEN = None


class HasScope(BasePermission):
    """Checks what the token may do. What its user may see is decided in `annotate.access`, with a 404.

    A view names the scope of each of its methods in `scopes`. One that it has but does not name is refused.
    """

    message = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        method = "GET" if request.method == "HEAD" else request.method or ""
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # OPTIONS tells nothing of a project; a method that is not there is answered by 405
        scopes: dict[str, Scope | None] = getattr(view, "scopes", {})
        if method not in scopes:
            self.message = _("This address takes no tokens for %(method)s.") % {"method": method}
            return False
        needed = scopes[method]
        if needed is ANY_TOKEN or needed in key.scopes:
            return True
        self.message = _("This token lacks the scope %(scope)s; make one that has it.") % {"scope": needed}
        return False
