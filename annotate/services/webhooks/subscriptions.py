"""Where a project's news goes: a lead adds an address, tries it, and takes it away."""

from __future__ import annotations

import base64
import secrets
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Project, User, Webhook, WebhookDelivery
from annotate.models.events import EventKind
from annotate.models.jobs import WebhookEvent
from annotate.services import events, sealing
from annotate.services.projects.refused import Refused
from annotate.services.webhooks import outbox, public_addresses, sending

MOST = 5  # of a project
SECRET_BYTES = 32
SHOWN = 20  # newest messages of each


def check(address: str) -> None:
    """Refuse an address that nothing would be sent to. Raises `Refused`.

    The name may lead elsewhere later, so that it is looked at again whenever something is sent.
    """
    parts = urlsplit(address)
    if parts.username or parts.password or not parts.hostname:
        raise Refused(_("Give an address with a host and without a name or password in it."))
    try:
        found = public_addresses.resolve(parts.hostname, parts.port or 443)
    except (public_addresses.NotPublic, ValueError) as error:
        raise Refused(str(error)) from error
    if parts.scheme != "https" and not all(map(public_addresses.is_named, found)):
        raise Refused(_("Give an address that begins with https://, so that nobody on the way reads along."))


@transaction.atomic
def add(*, project: Project, by: User, address: str) -> str:
    """Add a webhook and return its secret, which is shown once. Raises `Refused`."""
    check(address)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.webhooks.count() >= MOST:
        raise Refused(_("A project has at most %(n)s webhooks. Remove one first.") % {"n": MOST})
    secret = f"{sending.SECRET_MARK}{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    webhook = Webhook.objects.create(
        project=project, address=address, sealed_secret=sealing.seal(secret), made_by=by
    )
    events.record(EventKind.WEBHOOK_ADDED, by=by, project=project, subject=webhook.host)
    return secret


@transaction.atomic
def remove(*, webhook: Webhook, by: User) -> None:
    events.record(EventKind.WEBHOOK_REMOVED, by=by, project=webhook.project, subject=webhook.host)
    webhook.delete()


@transaction.atomic
def switch_on(*, webhook: Webhook, by: User) -> None:
    """Send again from now on what happens from now on."""
    if Webhook.objects.filter(pk=webhook.pk).exclude(off_at=None).update(off_at=None, off_why=""):
        events.record(EventKind.WEBHOOK_ON, by=by, project=webhook.project, subject=webhook.host)


@transaction.atomic
def try_out(*, webhook: Webhook, by: User) -> list[WebhookDelivery]:
    """Send a test, once; the caller wakes a worker for it."""
    events.record(EventKind.WEBHOOK_TESTED, by=by, project=webhook.project, subject=webhook.host)
    row = outbox.write_down(webhook, WebhookEvent.TEST, webhook.project, {"by": by.get_username()})
    WebhookDelivery.objects.filter(pk=row.pk).update(woken_at=timezone.now())
    return [row]


def shown(project: Project) -> list[tuple[Webhook, list[WebhookDelivery]]]:
    """Return the webhooks of a project, each with its newest messages."""
    rows = project.webhooks.select_related("made_by").order_by("pk")
    return [(webhook, list(webhook.deliveries.order_by("-pk")[:SHOWN])) for webhook in rows]
