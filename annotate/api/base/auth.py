from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from annotate import security_log
from annotate.models import ApiKey, User
from annotate.services.people import api_keys
from annotate.services.people.addresses import client_address


class TokenAuthentication(BaseAuthentication):
    """Reads `Authorization: Bearer TOKEN`. Sessions are not accepted, so the API needs no CSRF token."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        kind, _space, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        key = api_keys.find(secret.strip())
        if key is None:
            # The first letters of a real one are in its owner's list of keys; they open nothing.
            begin = secret.strip()[: len("winnow_") + 8] if secret.startswith("winnow_") else ""
            security_log.record("token-refused", begins_with=begin, address=client_address(request._request))
            raise AuthenticationFailed(_("This token is unknown, revoked or expired; make a new one."))
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Winnow"'
