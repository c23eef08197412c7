from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate import security_log
from annotate.models import ApiKey, User
from annotate.models.events import EventKind
from annotate.services import events

MARK = "winnow"
USE_RECORDED_EVERY = timedelta(minutes=1)


class Scope(models.TextChoices):
    PREDICT = "predict", _("Ask the published model")
    FEEDBACK = "feedback:write", _("Say what is right of predictions")
    DOCUMENTS_READ = "documents:read", _("Read documents")
    DOCUMENTS_WRITE = "documents:write", _("Add and change documents")
    ANNOTATIONS_READ = "annotations:read", _("Read and export annotations")
    ANNOTATIONS_WRITE = "annotations:write", _("Annotate as yourself")
    MODELS_READ = "models:read", _("Read model versions and metrics")
    MODELS_WRITE = "models:write", _("Publish and roll back models")
    LABELS_WRITE = "labels:write", _("Add, change, merge and split labels")
    MEMBERS_READ = "members:read", _("Read members and invitations")
    MEMBERS_WRITE = "members:write", _("Add, change and remove members; invite people")
    EVENTS_READ = "events:read", _("Read the event log")


def digest(secret: str) -> str:
    """Return what is stored of a secret. A plain hash is enough, as nobody can guess 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


@transaction.atomic
def issue(
    *, user: User, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Return a new key and its secret. The secret is not stored: whoever loses it makes another key."""
    prefix = secrets.token_hex(4)
    secret = f"{MARK}_{prefix}_{secrets.token_urlsafe(32)}"
    wanted = [Scope(scope).value for scope in scopes]
    key = ApiKey.objects.create(
        user=user, name=name, prefix=prefix, digest=digest(secret), scopes=wanted, expires_at=expires_at
    )
    events.record(EventKind.KEY_MADE, by=user, subject=name, owner=user.get_username(), scopes=list(wanted))
    security_log.record("key-made", user=user.get_username(), key=prefix, scopes=",".join(wanted))
    return key, secret


def find(secret: str) -> ApiKey | None:
    """Return the usable key of a secret, with its user, by one query; a use is recorded once a minute."""
    now = timezone.now()
    key = ApiKey.objects.usable(now).select_related("user").filter(digest=digest(secret)).first()
    if key is not None and (key.last_used_at is None or key.last_used_at < now - USE_RECORDED_EVERY):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


@transaction.atomic
def revoke(*, user: User, pk: int) -> bool:
    """End a key at once; a key of somebody else, or one that has ended already, changes nothing."""
    return end(ApiKey.objects.filter(pk=pk, user=user), by=user) == 1


@transaction.atomic
def end(keys: models.QuerySet[ApiKey], *, by: User | None = None) -> int:
    """End keys at once, whoever owns them; return how many had not ended yet.

    They ended with a password where nobody is named.
    """
    kind = EventKind.KEY_REVOKED if by else EventKind.KEY_ENDED
    ended = 0
    for key in keys.filter(revoked_at=None).select_related("user").order_by("pk"):
        if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            events.record(kind, by=by, subject=key.name, owner=key.user.get_username())
            security_log.record("key-ended", user=key.user.get_username(), key=key.prefix, by=by or "")
            ended += 1
    return ended
