"""Who works on a row: it is claimed, kept by a heartbeat, given back, ended, and found again when lost."""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import User
from annotate.models.work import MOST_ATTEMPTS, W, Work, WorkQuerySet, WorkState

WAKE_SECONDS = 5  # between two messages for one row, so that a busy queue does not fill with copies
# A worker's children are forked after this is read, so that all go by the name of its main process.
THIS_WORKER = f"{socket.gethostname()[:80]}:{os.getpid()}"
# What a row that waits has left of its last worker.
FREE = {"worker": "", "lease_expires_at": None, "stage": ""}


def rows_of(model: type[W]) -> WorkQuerySet[W]:
    return model._default_manager.get_queryset()  # type: ignore[return-value]


def held(row: W) -> WorkQuerySet[W]:
    """Return the row while it is this worker's: running, and not claimed by another since."""
    return rows_of(type(row)).held_by(row)


def claim(model: type[W], pk: int) -> W | None:
    """Take a row for this worker, or return None where it is taken, over, or has been tried enough."""
    now = timezone.now()
    claimed = (
        rows_of(model)
        .free()
        .filter(pk=pk)
        .update(
            state=WorkState.RUNNING,
            attempt=F("attempt") + 1,
            token=F("token") + 1,
            worker=THIS_WORKER,
            lease_expires_at=_lease_end(),
            heartbeat_at=now,
            started_at=now,
            progress=0.0,
            stage="",
        )
    )
    return rows_of(model).select_related("project").get(pk=pk) if claimed else None


def _lease_end() -> Any:
    return timezone.now() + timedelta(seconds=settings.RUN_LEASE_SECONDS)


def beat(*, row: Work, **noted: object) -> bool:
    """Extend the lease and note fields of the row with it; False where it is no longer this worker's."""
    return bool(held(row).update(heartbeat_at=timezone.now(), lease_expires_at=_lease_end(), **noted))


def succeed(*, row: Work, **only: object) -> bool:
    """End the row as done, if it is still this worker's and its fields are as `only` says."""
    ended = {"state": WorkState.SUCCEEDED, "progress": 1.0, "error": "", "finished_at": timezone.now()}
    return bool(held(row).filter(**only).update(**FREE, **ended))


def fail(*, row: Work, error: str) -> bool:
    """End the row with the sentence that says why; for a cause that trying again does not remove."""
    ended = {"state": WorkState.FAILED, "error": error, "finished_at": timezone.now()}
    return bool(held(row).update(**FREE, **ended))


def retry_or_fail(*, row: Work, error: str) -> None:
    """Let the row be tried again in a few seconds, or end it as failed after its last attempt."""
    if row.attempt >= MOST_ATTEMPTS:
        fail(row=row, error=error)
    else:
        _queue(row, attempt=row.attempt, error=error, woken_at=timezone.now())


def give_back(*, row: Work) -> None:
    """Let the next tick have another worker go on at once: being told to stop is no attempt."""
    _queue(row, attempt=row.attempt - 1, woken_at=None)


def give_way(*, row: Work) -> bool:
    """Queue a row again behind others after a part of its work is done; a finished part is no attempt.

    The caller wakes a worker for it.
    """
    return _queue(row, attempt=0, error="", woken_at=timezone.now())


def _queue(row: Work, **fields: object) -> bool:
    return bool(held(row).update(state=WorkState.QUEUED, **FREE, **fields))


def pardon(model: type[Work]) -> int:
    """Take back the attempts that this worker is in the middle of, as it has been told to stop.

    Its rows stay its own, by their tokens: what it still finishes counts. What is killed instead comes back
    when its lease ends, and has as many attempts left as before. Return how many rows it works on.
    """
    rows = rows_of(model).filter(worker=THIS_WORKER, state=WorkState.RUNNING, attempt__gt=0)
    return rows.update(attempt=F("attempt") - 1, worker="")  # without its name: to be told twice is once


def cancel(*, row: Work, by: User | None = None) -> bool:
    """End a live row; the worker that is at it stops at its next step, and what it still does is not kept."""
    live = rows_of(type(row)).live().filter(pk=row.pk)
    now = timezone.now()
    return bool(live.update(state=WorkState.CANCELLED, cancelled_by=by, finished_at=now, **FREE))


def recover(rows: WorkQuerySet[W]) -> list[W]:
    """Fail what was lost too often, and return those of the rows that need a worker woken (again)."""
    now = timezone.now()
    rows.lost().filter(attempt__gte=MOST_ATTEMPTS).update(
        state=WorkState.FAILED,
        finished_at=now,
        error=_("The worker was killed three times in the middle of this work; its log says why."),
        **FREE,
    )
    stale = now - timedelta(seconds=WAKE_SECONDS)
    wanted = list(rows.free().filter(Q(woken_at=None) | Q(woken_at__lt=stale)))
    rows.filter(pk__in=[row.pk for row in wanted]).update(woken_at=now)
    return wanted
