"""E-mail addresses of people: one is theirs once they have opened a link that was sent to it."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import AddressLink, PasswordLink, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.people.api_keys import digest
from annotate.services.projects.refused import Refused

WORKS_FOR = timedelta(days=1)


def propose(*, user: User, address: str) -> AddressLink:
    """Note the address that somebody wants; an earlier one that was not confirmed is forgotten."""
    security_log.record("address-change-asked", user=user.get_username(), to=address)
    return AddressLink.objects.create(user=user, address=address, expires_at=timezone.now() + WORKS_FOR)


def renew(link: AddressLink) -> str:
    """Return a token that confirms the address, the only one that does; "" where none can any more."""
    token = secrets.token_urlsafe(32)
    is_open = AddressLink.objects.open().filter(pk=link.pk).exists()
    updated = is_open and AddressLink.objects.filter(pk=link.pk, used_at=None).update(digest=digest(token))
    return token if updated else ""


def find(token: str) -> AddressLink | None:
    """Return the open link of a token; one that was used, replaced or ran out is none."""
    return AddressLink.objects.open().select_related("user").filter(digest=digest(token)).first()


@transaction.atomic
def confirm(link: AddressLink) -> str:
    """Give the link's person its address, and return the former one.

    Links for a new password that went to the former one end. Raises `Refused` where somebody was faster.
    """
    if not AddressLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now()):
        raise Refused(_("This link was used meanwhile. Ask for another one."))
    user = User.objects.select_for_update(no_key=True).get(pk=link.user_id)
    former = user.email
    User.objects.filter(pk=user.pk).update(email=link.address, email_confirmed_at=timezone.now())
    PasswordLink.objects.filter(user=user, used_at=None).delete()
    events.record(EventKind.ACCOUNT_CHANGED, by=user, subject=user.get_username(), fields=["email"])
    security_log.record("address-changed", user=user.get_username(), to=link.address)
    return former
