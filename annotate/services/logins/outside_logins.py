"""Whose account somebody comes in with whom another site vouches for; without sign-up, unless it is set."""

from __future__ import annotations

import re

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import Invitation, OutsideLogin, User
from annotate.models.accounts import MACHINE_NAMES, look_of
from annotate.models.events import EventKind
from annotate.services import events
from annotate.services.logins import oidc
from annotate.services.logins.oidc import Identity
from annotate.services.people import invitations
from annotate.services.projects.refused import Refused

LONGEST_NAME = 100


def check_domain(identity: Identity) -> None:
    """Raise `Refused` where the site takes people of some domains alone, and this is none of them."""
    domains = {domain.lower().lstrip("@") for domain in settings.OIDC_DOMAINS}
    if domains and identity.email.rpartition("@")[2].lower() not in domains:
        raise Refused(
            _("%(site)s does not say that your e-mail address is one of these domains: %(domains)s.")
            % {"site": oidc.name(), "domains": ", ".join(sorted(domains))}
        )


@transaction.atomic
def person_of(identity: Identity, *, invitation: Invitation | None = None) -> User:
    """Return who comes in; whoever is invited gets an account. Raises `Refused` for anybody else."""
    check_domain(identity)
    user = _known(identity) or _by_address(identity)
    if user is None and invitation is not None:
        user = _make(identity)
        invitations.accept(invitation=invitation, user=user)
        invitation.refresh_from_db(fields=["used_by"])
    if user is None and settings.OIDC_SIGN_UP and identity.email:
        user = _make(identity)
    if user is None or not user.is_active:
        security_log.record("outside-login-refused", subject=identity.subject, email=identity.email)
        raise Refused(
            _(
                "%(site)s knows you, and this site has no account for you. Ask a lead to invite you; or log "
                "in with your password, and connect the two on your account page."
            )
            % {"site": oidc.name()}
        )
    return user


def _known(identity: Identity) -> User | None:
    links = OutsideLogin.objects.filter(issuer=identity.issuer, subject=identity.subject)
    link = links.select_related("user").first()
    if link is None:
        return None
    links.update(used_at=timezone.now())
    return link.user


def _by_address(identity: Identity) -> User | None:
    """Return whose confirmed address it is, and connect the two; nobody where it is that of several.

    NB: an address that somebody only claims on their account page may be another person's.
    """
    if not identity.email:
        return None
    people = User.objects.filter(is_active=True, is_machine=False).exclude(email_confirmed_at=None)
    found = list(people.filter(email__iexact=identity.email)[:2])
    if len(found) != 1 or found[0].email.casefold() != identity.email.casefold():
        return None
    if found[0].outside_logins.filter(issuer=identity.issuer).exists():
        return None  # another account there is connected to it
    connect(user=found[0], identity=identity)
    return found[0]


@transaction.atomic
def connect(*, user: User, identity: Identity) -> None:
    """Let whoever the other site says is `identity` in as `user` from now on."""
    check_domain(identity)
    owner = _known(identity)
    if owner is not None and owner != user:
        raise Refused(_("That account is connected to another one of this site."))
    if owner is None:
        OutsideLogin.objects.create(user=user, issuer=identity.issuer, subject=identity.subject)
        events.record(EventKind.OUTSIDE_LOGIN_ADDED, by=user, subject=user.get_username(), site=oidc.name())
        security_log.record("outside-login-added", user=user.get_username(), subject=identity.subject)


@transaction.atomic
def disconnect(*, user: User) -> None:
    """Let nobody in by the other site any more. Raises `Refused` where there is no other way in."""
    if not user.has_usable_password():
        raise Refused(_("You have no password, so that nothing else would let you in. Set one first."))
    if user.outside_logins.all().delete()[0]:
        events.record(EventKind.OUTSIDE_LOGIN_REMOVED, by=user, subject=user.get_username())
        security_log.record("outside-login-removed", user=user.get_username())


def _make(identity: Identity) -> User:
    user = User(username=_free_name(identity.name), email=identity.email)
    user.email_confirmed_at = timezone.now() if identity.email else None
    user.set_unusable_password()
    user.save()
    events.record(EventKind.ACCOUNT_MADE, by=user, subject=user.get_username(), fields=[])
    connect(user=user, identity=identity)
    return user


def _free_name(wanted: str) -> str:
    """Return a name like the one wanted that looks like nobody else's."""
    start = re.sub(r"[^\w.+-]", "", wanted.partition("@")[0])[:LONGEST_NAME] or "guest"
    taken = {look_of(name) for name in (*User.objects.values_list("username", flat=True), *MACHINE_NAMES)}
    number, name = 1, start
    while look_of(name) in taken:
        number += 1
        name = f"{start}-{number}"
    return name
