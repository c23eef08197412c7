"""Passkeys: a device or a key signs a challenge, for this site alone, once its owner has agreed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.backends import BaseBackend
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from fido2.server import Fido2Server
from fido2.utils import websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from annotate import security_log
from annotate.models import Passkey, User
from annotate.services.logins import second_factors
from annotate.services.projects.refused import Refused

MOST = 10  # of one person
LONGEST_RESPONSE = 20_000  # characters of what a browser sends
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)  # what fido2 raises at what is no response


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a browser is asked, as JSON for its page, and what to compare its response with."""

    options: str
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assertion:
    """A browser's response to a challenge of this site, at the address that the browser was at."""

    response: str
    state: dict[str, Any]
    origin: str


def origin_of(request: HttpRequest) -> str:
    """Return the address of the site as browsers tell it, which a passkey is bound to."""
    parts = urlsplit(settings.SITE_URL or f"{request.scheme}://{request.get_host()}")
    return f"{parts.scheme}://{parts.netloc}"


def _server(origin: str) -> Fido2Server:
    # NB: the very address, where the library would also take one of a neighbour below the same domain.
    return Fido2Server(
        PublicKeyCredentialRpEntity(id=urlsplit(origin).hostname or "", name="Winnow"),
        verify_origin=lambda told: told == origin,
    )


def _known_to(user: User) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(bytes(row.credential)) for row in user.passkeys.all()]


def ask_for_new(user: User, origin: str) -> Challenge:
    """Return what makes a passkey; a device that has one of this person already makes no second."""
    # The device shows this to nobody and the site never looks for it, so that it says nothing.
    handle = salted_hmac("annotate.passkey", str(user.pk)).digest()
    name = user.get_username()
    options, state = _server(origin).register_begin(
        PublicKeyCredentialUserEntity(id=handle, name=name, display_name=user.get_full_name() or name),
        credentials=_known_to(user),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return Challenge(json.dumps(dict(options)), state)


def ask_for_one(origin: str, user: User | None = None) -> Challenge:
    """Return what uses a passkey: one of `user` beside their password, or any in place of it.

    In place of a password the device has to know its owner, by a finger, a face or a number.
    """
    wanted = UserVerificationRequirement.DISCOURAGED if user else UserVerificationRequirement.REQUIRED
    known = _known_to(user) if user else None
    options, state = _server(origin).authenticate_begin(known, user_verification=wanted)
    return Challenge(json.dumps(dict(options)), state)


@transaction.atomic
def add(*, user: User, name: str, assertion: Assertion, session: SessionBase) -> list[str]:
    """Keep a new passkey; return new recovery codes where there are none. Raises `Refused`."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.passkeys.count() >= MOST:
        raise Refused(_("You have ten passkeys, which is the most. Remove one first."))
    try:
        told = _server(assertion.origin).register_complete(assertion.state, _read(assertion.response))
        credential = told.credential_data
    except UNREADABLE as error:
        raise Refused(_("The passkey was not made as it should be. Try again.")) from error
    assert credential is not None
    key = websafe_encode(credential.credential_id)
    if len(key) > Passkey.LONGEST_ID or Passkey.objects.filter(credential_id=key).exists():
        raise Refused(_("This passkey is known to the site already, or cannot be kept. Use another device."))
    Passkey.objects.create(
        user=user, name=name, credential_id=key, credential=bytes(credential), uses=told.counter
    )
    return second_factors.added(user, "passkey", session)


@transaction.atomic
def remove(passkey: Passkey) -> None:
    """Take a passkey away; with the last factor the recovery codes go, too."""
    if Passkey.objects.filter(pk=passkey.pk).delete()[0]:
        second_factors.removed(user=passkey.user, by=passkey.user, what="passkey")


def owner_of(response: str) -> User | None:
    """Return whose passkey a response is said to be of; nothing of it is proved yet."""
    try:
        key = str(_read(response).get("id", ""))
    except UNREADABLE:
        return None
    passkey = Passkey.objects.filter(credential_id=key, user__is_active=True).select_related("user").first()
    return passkey.user if passkey else None


def _read(response: str) -> Mapping[str, Any]:
    if len(response) > LONGEST_RESPONSE:
        raise ValueError("longer than any response")
    told = json.loads(response)
    if not isinstance(told, dict):
        raise ValueError("no response")
    return told


def _is_proved(user: User, assertion: Assertion) -> bool:
    """Tell whether a passkey of `user` has signed the challenge; a copy gives itself away by its count."""
    try:
        read = _read(assertion.response)
        used = _server(assertion.origin).authenticate_complete(assertion.state, _known_to(user), read)
        count = AuthenticationResponse.from_dict(read).response.authenticator_data.counter
    except UNREADABLE:
        return False
    rows = Passkey.objects.filter(user=user, credential_id=websafe_encode(used.credential_id))
    # Many devices do not count: theirs stays 0.
    is_new = rows.filter(uses__lt=count) if count else rows.filter(uses=0)
    if is_new.update(uses=count, used_at=timezone.now()):
        return True
    security_log.record("passkey-copied", user=user.get_username())
    return False


class PasskeyBackend(BaseBackend):
    """Takes a passkey as Django takes a password, so that axes counts what is refused."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str, passkey: Assertion
    ) -> User | None:
        user = User.objects.filter(username=username, is_active=True, is_machine=False).first()
        return user if user is not None and _is_proved(user, passkey) else None
