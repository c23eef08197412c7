"""What a worker's main process notes: that it is alive, for the pages, and that it is about to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from celery import current_app
from celery.signals import heartbeat_sent, worker_init, worker_ready
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from annotate import kinds
from annotate.environment import keep_temporary_files_in
from annotate.models import WorkerPulse
from annotate.queues import TICK
from annotate.services.work import lease, standstill, watch, workers

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
STOPS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
PARDON_SECONDS = 3.0  # a worker that is to stop waits no longer for a database that is busy or away
_last = -EVERY_SECONDS


def record(queues: list[str]) -> None:
    noted = ["seen_at", "waiting", "still_since", "busy_since"]
    rows = [_pulse(queue) for queue in queues]
    WorkerPulse.objects.bulk_create(rows, update_conflicts=True, unique_fields=["queue"], update_fields=noted)


def record_tick() -> None:
    """Note that the schedule is kept: beat sends ticks, and a worker does them."""
    WorkerPulse.objects.update_or_create(queue=TICK, defaults={"seen_at": timezone.now()})


def _pulse(queue: str) -> WorkerPulse:
    still = standstill.of(kinds.rows_of(queue))
    told = WorkerPulse(queue=queue, seen_at=timezone.now())
    if still is not None:
        told.waiting, told.still_since, told.busy_since = still.waiting, still.since, still.busy_since
    return told


@worker_init.connect
def take_a_name(**_: Any) -> None:
    """Celery sends this in the main process, before any child is forked: they keep what is set here."""
    workers.begin()
    keep_temporary_files_in(Path(settings.TEMPORARY_ROOT))


@heartbeat_sent.connect
def beat(**_: Any) -> None:
    """Note that this worker lives, and end what hangs in it.

    Celery sends this every two seconds from the worker's main process, which must not stop for it.
    """
    global _last
    if time.monotonic() - _last < EVERY_SECONDS:
        return
    _last = time.monotonic()
    try:
        record(list(current_app.amqp.queues.consume_from))
        watch.look_after_children({model.__name__: model for model in kinds.MODELS})
    except Error:  # the database is away or busy: the next pulse comes in ten seconds
        return
    finally:
        connection.close()  # NB: children are forked from this process, and must not inherit it


@worker_ready.connect
def listen_for_stops(**_: Any) -> None:
    """Pardon this worker's rows as soon as it is told to stop, before Celery does anything about it.

    NB: Celery's own signal `worker_shutting_down` comes too late: a cold shutdown first waits for its
    children, and one in the middle of a computation may not hear it before it is killed.
    """
    if threading.current_thread() is not threading.main_thread():
        return  # a worker inside a test: only the main thread may say what happens at a signal
    for number in STOPS:
        handler = signal.getsignal(number)
        if callable(handler):
            signal.signal(number, partial(_stop, handler))


def _stop(handler: Any, number: int, frame: FrameType | None) -> None:
    # In a thread of its own, as the main one may be in the middle of a query on its connection.
    thread = threading.Thread(target=pardon, daemon=True)
    thread.start()
    thread.join(PARDON_SECONDS)
    handler(number, frame)


def pardon() -> None:
    """Take back the attempts of the rows that this worker is in the middle of: a restart is no attempt."""
    try:
        for model in kinds.MODELS:
            lease.pardon(model)
    except Error as error:
        logger.warning("What this worker is doing counts as an attempt, as it could not tell: %s", error)
    finally:
        connection.close()
