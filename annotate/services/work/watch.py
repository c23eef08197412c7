"""What a worker's main process does about its children: one that hangs, or was cancelled, is ended.

NB: this cannot be left to the child. A computation that never returns to Python hears neither its heartbeat's
thread nor a signal, and keeps its memory and its place in the worker for as long as it lives.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from django.conf import settings

from annotate.models.work import Work, WorkState
from annotate.services.work import lease, limits, workers

logger = logging.getLogger(__name__)

_astray: dict[
    tuple[str, workers.Busy], float
] = {}  # since when a child works on what is not its own any more


def look_after_children(models: Mapping[str, type[Work]]) -> int:
    """End the children that hang or go on with what is no longer theirs; return how many."""
    ended, seen = 0, set()
    for name, busy in workers.children():
        row = lease.rows_of(models[busy.model]).filter(pk=busy.pk).first()
        if row is not None and row.token == busy.token and row.state == WorkState.RUNNING:
            if not (why := limits.overdue(row)) or not lease.fail(row=row, error=why):
                continue
        else:
            seen.add((name, busy))
            since = _astray.setdefault((name, busy), time.monotonic())
            # It stops by itself at its next step, where it comes to one.
            if time.monotonic() - since < settings.RUN_LEASE_SECONDS:
                continue
            why = "It went on with what was cancelled or is over."
        logger.error("Worker %s is ended in the middle of %s %s. %s", name, busy.model, busy.pk, why)
        workers.kill(name)
        ended += 1
    for gone in set(_astray) - seen:
        del _astray[gone]
    return ended
