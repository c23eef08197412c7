"""In which browsers somebody is logged in, and how that ends."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from annotate import security_log
from annotate.models import OpenSession, User
from annotate.services.people.addresses import client_address

NOTED_EVERY = timedelta(minutes=5)
MOST_REMEMBERED = 10_000  # sessions of which this process knows when it noted them last
LONGEST_DEVICE = 300

_noted: dict[str, float] = {}


def note(request: HttpRequest, user: User) -> None:
    """Keep when and where a session was last seen; a process writes that once in a few minutes at most."""
    key, now = request.session.session_key or "", time.monotonic()
    if not key or now - _noted.get(key, -NOTED_EVERY.total_seconds()) < NOTED_EVERY.total_seconds():
        return
    if len(_noted) >= MOST_REMEMBERED:
        _noted.clear()
    _noted[key] = now
    device = "".join(c for c in request.headers.get("User-Agent", "") if c.isprintable())
    seen = {
        "device": device[:LONGEST_DEVICE],
        "address": client_address(request),
        "seen_at": timezone.now(),
    }
    OpenSession.objects.update_or_create(session_key=key, defaults={"user": user, **seen})


@receiver(user_logged_in)
def note_login(request: HttpRequest, user: User, **_: Any) -> None:
    note(request, user)


@receiver(user_logged_out)
def forget_logout(request: HttpRequest, **_: Any) -> None:
    OpenSession.objects.filter(session_key=request.session.session_key or "").delete()


def open_of(user: User) -> QuerySet[OpenSession]:
    """Return the sessions of somebody that have not ended, the one seen last first."""
    standing = Session.objects.filter(pk=OuterRef("session_key"), expire_date__gt=timezone.now())
    return user.open_sessions.filter(Exists(standing)).order_by("-seen_at", "-pk")


@transaction.atomic
def end(sessions: QuerySet[OpenSession]) -> int:
    """End sessions at once; return how many had not ended already."""
    keys = list(sessions.values_list("session_key", flat=True))
    ended, _rows = Session.objects.filter(pk__in=keys).delete()
    OpenSession.objects.filter(session_key__in=keys).delete()
    return ended


def end_all(user: User) -> int:
    """End every session of somebody, also one from before sessions were noted."""
    mine = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator()
        if session.get_decoded().get(SESSION_KEY) == str(user.pk)
    ]
    ended, _rows = Session.objects.filter(pk__in=mine).delete()
    user.open_sessions.all().delete()
    security_log.record("sessions-ended", user=user.get_username(), number=ended)
    return ended
