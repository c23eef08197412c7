"""Workers note for each queue that they are alive, so that pages can warn of a queue that nobody works on."""

from __future__ import annotations

import time
from typing import Any

from celery import current_app
from celery.signals import heartbeat_sent
from django.db import Error, connection
from django.utils import timezone

from annotate.models import WorkerPulse

EVERY_SECONDS = 10.0
_last = -EVERY_SECONDS


def record(queues: list[str]) -> None:
    rows = [WorkerPulse(queue=queue, seen_at=timezone.now()) for queue in queues]
    WorkerPulse.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["queue"], update_fields=["seen_at"]
    )


@heartbeat_sent.connect
def beat(**_: Any) -> None:
    """Celery sends this every two seconds from the worker's main process, which must not stop for it."""
    global _last
    if time.monotonic() - _last < EVERY_SECONDS:
        return
    _last = time.monotonic()
    try:
        record(list(current_app.amqp.queues.consume_from))
    except Error:  # the database is away or busy: the next pulse comes in ten seconds
        return
    finally:
        connection.close()  # NB: children are forked from this process, and must not inherit it
