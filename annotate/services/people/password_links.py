"""Links by which somebody who has forgotten their password sets a new one."""

from __future__ import annotations

import secrets
from datetime import timedelta

from axes.utils import reset
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import PasswordLink, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.people.api_keys import digest
from annotate.services.projects.refused import Refused

WORKS_FOR = timedelta(days=1)


@transaction.atomic
def issue(*, user: User, by: User | None) -> str:
    """Return the token of a new link, which is not stored; an earlier link of the account works no more."""
    if not user.is_active or user.is_machine:
        raise Refused(_("This account is disabled, so that no password opens it. Enable it first."))
    token = secrets.token_urlsafe(32)
    PasswordLink.objects.create(
        user=user, digest=digest(token), made_by=by, expires_at=timezone.now() + WORKS_FOR
    )
    events.record(EventKind.PASSWORD_LINK_MADE, by=by, subject=user.get_username())
    security_log.record("password-link-made", user=user.get_username(), by=by or "")
    return token


def find(token: str) -> PasswordLink | None:
    """Return the open link of a token; one that was used, replaced or ran out is none."""
    return PasswordLink.objects.open().select_related("user").filter(digest=digest(token)).first()


@transaction.atomic
def use(link: PasswordLink, password: str) -> None:
    """Set the password of the link's person. Raises `Refused` where somebody was faster.

    Wrong passwords that were counted before are forgiven, as the person has shown who they are.
    """
    mine = PasswordLink.objects.filter(pk=link.pk, used_at=None)
    if not mine.update(used_at=timezone.now()):
        raise Refused(_("This link was used meanwhile. Ask for another one."))
    link.user.set_password(password)
    link.user.save(update_fields=["password"])
    reset(username=link.user.get_username())
    events.record(EventKind.PASSWORD_SET, by=link.user, subject=link.user.get_username())
