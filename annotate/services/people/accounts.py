"""What an administrator does to an account: who is on the site, and who is let in no longer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import Membership, OpenSession, PasswordLink, Project, User
from annotate.models.events import EventKind
from annotate.models.members import Role
from annotate.services import events
from annotate.services.labeling import places
from annotate.services.people import api_keys, sessions
from annotate.services.projects.refused import Refused

PAGE = 50


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """People by name; `before` and `after` are the names that the pages beside this one begin at."""

    people: Sequence[User]
    before: str = ""
    after: str = ""


def page(*, words: str = "", before: str = "", after: str = "") -> PeoplePage:
    """Return people whose names or e-mail address contain `words`, after a name or before one."""
    people, wanted = User.objects.filter(is_machine=False), words.strip().casefold()
    if wanted:
        # NB: SQLite knows upper and lower case of Latin letters only, and a site has few people.
        told = people.values_list("pk", "username", "first_name", "last_name", "email")
        people = people.filter(pk__in=[pk for pk, *names in told if wanted in " ".join(names).casefold()])
    if before:
        rows = list(shown(people.filter(username__lt=before)).order_by("-username")[: PAGE + 1])
        has_before, has_after = len(rows) > PAGE, True
        rows = rows[:PAGE][::-1]
    else:
        people = people.filter(username__gt=after) if after else people
        rows = list(shown(people).order_by("username")[: PAGE + 1])
        has_before, has_after = bool(after), len(rows) > PAGE
        rows = rows[:PAGE]
    names = [person.username for person in rows] or [""]
    return PeoplePage(rows, before=names[0] if has_before else "", after=names[-1] if has_after else "")


def shown(people: QuerySet[User]) -> QuerySet[User]:
    """Return people with their memberships in `roles`, and when they were `seen` last."""
    standing = Membership.objects.filter(project__deleted_at=None).select_related("project")
    seen = OpenSession.objects.filter(user=OuterRef("pk")).order_by("-seen_at").values("seen_at")[:1]
    return people.annotate(seen=Subquery(seen)).prefetch_related(
        Prefetch("memberships", standing.order_by("project__name", "pk"), to_attr="roles")
    )


def led_by_nobody_else(user: User) -> QuerySet[Project]:
    """Return the projects that would have no lead who can log in without `user`."""
    others = Count(
        "memberships",
        filter=Q(memberships__role=Role.LEAD, memberships__user__is_active=True) & ~Q(memberships__user=user),
    )
    mine = Project.objects.standing().filter(pk__in=user.memberships.filter(role=Role.LEAD).values("project"))
    return mine.annotate(others=others).filter(others=0).order_by("name", "pk")


@transaction.atomic
def disable(*, user: User, by: User) -> None:
    """Let somebody in no longer. What they decided stays; what they had open ends with it."""
    if user == by:
        raise Refused(_("You cannot disable your own account; another administrator can."))
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        events.record(EventKind.ACCOUNT_DISABLED, by=by, subject=user.get_username())
        security_log.record("account-disabled", user=user.get_username(), by=by)
    shut_out(user=user, by=by)


@transaction.atomic
def shut_out(*, user: User, by: User) -> None:
    """End at once what somebody who is disabled has open: sessions, keys, links, and leases."""
    sessions.end_all(user)
    api_keys.end(user.api_keys.all(), by=by)
    PasswordLink.objects.filter(user=user).delete()
    places.give_back(annotator=user)


@transaction.atomic
def enable(*, user: User, by: User) -> None:
    """Let somebody in again, with their password; their keys and sessions stay ended."""
    if User.objects.filter(pk=user.pk, is_active=False, is_machine=False).update(is_active=True):
        events.record(EventKind.ACCOUNT_ENABLED, by=by, subject=user.get_username())
        security_log.record("account-enabled", user=user.get_username(), by=by)
