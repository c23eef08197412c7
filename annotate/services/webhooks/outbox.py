"""Messages to webhooks are rows: a change writes one in its transaction, and a worker sends it."""

from __future__ import annotations

import json
from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Project, Webhook, WebhookDelivery
from annotate.models.events import EventKind
from annotate.models.jobs import WebhookEvent
from annotate.models.work import WorkState
from annotate.services import events, sealing
from annotate.services.webhooks import sending
from annotate.services.work import lease
from annotate.services.work.perform import perform
from training.types import Json

GIVEN_UP_AFTER = timedelta(days=1)
SOONEST, LATEST = 30, 3600  # seconds until an address that took nothing is tried again
GONE = 410  # the status by which a receiver says that it wants no more


class Undeliverable(Exception):
    """It is not tried again; the message is a sentence for the lead."""


def announce(project: Project, kind: WebhookEvent, **data: Json) -> None:
    """Write down what each webhook of a project is to be told, in the caller's transaction.

    The next tick wakes a worker for it.
    """
    for webhook in project.webhooks.filter(off_at=None).order_by("pk"):
        write_down(webhook, kind, project, data)


def write_down(
    webhook: Webhook, kind: WebhookEvent, project: Project, data: dict[str, Json]
) -> WebhookDelivery:
    return WebhookDelivery.objects.create(
        webhook=webhook,
        kind=kind,
        payload={
            "type": kind.value,
            "timestamp": timezone.now().isoformat(),
            "data": {"project": project.slug} | data,
        },
    )


def run(delivery_id: int) -> Webhook | None:
    """Send a message, unless it was put off until later; return the webhook where that switched it off."""
    was_on = Webhook.objects.filter(deliveries=delivery_id, off_at=None).select_related("project").first()
    if WebhookDelivery.objects.filter(pk=delivery_id, queued_at__lte=timezone.now()).exists():
        perform(WebhookDelivery, delivery_id, _send, refusals=(Undeliverable,))
    is_off = was_on is not None and Webhook.objects.filter(pk=was_on.pk, off_at__isnull=False).exists()
    return was_on if is_off else None


def _send(row: WebhookDelivery) -> None:
    webhook = Webhook.objects.select_related("project").get(pk=row.webhook_id)
    if webhook.off_at is not None and row.kind != WebhookEvent.TEST:
        raise Undeliverable(_("The webhook was switched off before this was sent."))
    secret = sealing.unseal(webhook.sealed_secret)
    if not secret:
        raise Undeliverable(
            _("The secret cannot be read since SECRET_KEY was changed: add the webhook anew.")
        )
    body = json.dumps(row.payload, ensure_ascii=False).encode()
    now = timezone.now()
    result = sending.send(
        webhook.address, secret=secret, key=f"msg_{row.key.hex}", at=int(now.timestamp()), body=body
    )
    WebhookDelivery.objects.filter(pk=row.pk).update(tries=F("tries") + 1, status=result.status, tried_at=now)
    if not result.why:
        return
    if row.kind == WebhookEvent.TEST:
        raise Undeliverable(result.why)
    if result.status == GONE or now - row.created_at > GIVEN_UP_AFTER:
        _switch_off(webhook, result.why)
        raise Undeliverable(result.why)
    _put_off(row, result.why)


def _put_off(row: WebhookDelivery, why: str) -> None:
    """Try again after as long as it has waited already; the other messages to this address wait with it.

    So an address that never answers costs one trial at a time, and other addresses nothing.
    """
    age = (timezone.now() - row.created_at).total_seconds()
    seconds = min(max(age, SOONEST), LATEST)
    lease.put_off(row=row, seconds=seconds, why=why)
    then = timezone.now() + timedelta(seconds=seconds)
    others = WebhookDelivery.objects.filter(webhook=row.webhook_id, state=WorkState.QUEUED)
    others.filter(queued_at__lt=then).exclude(kind=WebhookEvent.TEST).update(
        queued_at=then, woken_at=then, error=why
    )


@transaction.atomic
def _switch_off(webhook: Webhook, why: str) -> None:
    if Webhook.objects.filter(pk=webhook.pk, off_at=None).update(off_at=timezone.now(), off_why=why):
        events.record(EventKind.WEBHOOK_OFF, by=None, project=webhook.project, subject=webhook.host)
