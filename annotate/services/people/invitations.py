"""Invitations: a lead makes links, each of which lets one person into a project, once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import Invitation, Mail, Membership, Project, User
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.people.api_keys import digest
from annotate.services.projects import members
from annotate.services.projects.refused import Refused

# A guest with an address, and nothing else than one.
GUEST = re.compile(r"(?:[^<>@,]*<(\S+)>|(\S+))")


@transaction.atomic
def issue(
    *, project: Project, by: User, role: str, guests: Iterable[str], days: int, by_mail: bool = False
) -> list[tuple[Invitation, str]]:
    """Return an invitation for each guest with its token, which is not stored: it is shown once.

    With `by_mail` a guest who is given as an address has no token yet: it is made when the mail is sent.
    """
    issued = []
    for guest in guests:
        token = secrets.token_urlsafe(32)
        invitation = Invitation.objects.create(
            project=project,
            role=role,
            guest=guest,
            address=address_in(guest) if by_mail else "",
            digest=digest(token),
            invited_by=by,
            expires_at=timezone.now() + timedelta(days=days),
        )
        events.record(EventKind.INVITED, by=by, project=project, subject=guest, role=role)
        issued.append((invitation, "" if invitation.address else token))
    security_log.record("invited", project=project.slug, role=role, number=len(issued), by=by)
    return issued


def address_in(guest: str) -> str:
    """Return the e-mail address of a guest, as in `Ada <ada@example.org>`; "" where there is none."""
    found = GUEST.fullmatch(guest)
    address = (found[1] or found[2]) if found else ""
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def renew(invitation: Invitation) -> str:
    """Return a new token of an open invitation, the only one that opens it; "" where it has ended."""
    token = secrets.token_urlsafe(32)
    is_open = Invitation.objects.open().filter(pk=invitation.pk).exists()
    mine = Invitation.objects.filter(pk=invitation.pk, used_at=None, revoked_at=None)
    return token if is_open and mine.update(digest=digest(token)) else ""


def find(token: str) -> Invitation | None:
    """Return the open invitation of a token; one that was used, revoked or ran out is none."""
    found = Invitation.objects.open().select_related("project", "invited_by")
    return found.filter(digest=digest(token)).first()


def with_mail(invitations: QuerySet[Invitation]) -> QuerySet[Invitation]:
    """Return invitations with the newest of their mails as the only one of `sent`."""
    newer = Mail.objects.filter(invitation=OuterRef("invitation"), pk__gt=OuterRef("pk"))
    newest = Prefetch("mails", Mail.objects.filter(~Exists(newer)), to_attr="sent")
    return invitations.select_related("invited_by").prefetch_related(newest).order_by("pk")


@transaction.atomic
def accept(*, invitation: Invitation, user: User, is_new: bool = False) -> Membership:
    """Make `user` a member. Raises `Refused` where they are one already, or somebody was faster.

    An account that is made for it gets the address that the invitation was mailed to; one from before keeps
    its own or none, as the mail may have been handed on.
    """
    # NB: nothing but this one statement decides between two who open the link at once.
    mine = Invitation.objects.filter(pk__in=Invitation.objects.open().filter(pk=invitation.pk).values("pk"))
    if not mine.filter(used_at=None, revoked_at=None).update(used_at=timezone.now(), used_by=user):
        raise Refused(_("This invitation was used or taken back meanwhile. Ask for another one."))
    membership = members.add_member(
        project=invitation.project,
        username=user.get_username(),
        role=invitation.role,
        by=invitation.invited_by,
    )
    if is_new and invitation.address:
        user.email, user.email_confirmed_at = invitation.address, timezone.now()
        user.save(update_fields=["email", "email_confirmed_at"])
    events.record(
        EventKind.INVITATION_ACCEPTED,
        by=user,
        project=invitation.project,
        subject=invitation.guest,
        role=invitation.role,
    )
    return membership


@transaction.atomic
def revoke(*, project: Project, pk: int, by: User) -> bool:
    """Take an invitation back; False where there is none of that key to take back."""
    found = Invitation.objects.filter(project=project, pk=pk, used_at=None, revoked_at=None)
    invitation = found.first()
    if invitation is None or not found.update(revoked_at=timezone.now()):
        return False
    events.record(EventKind.INVITATION_REVOKED, by=by, project=project, subject=invitation.guest)
    security_log.record("invitation-revoked", project=project.slug, by=by)
    return True
