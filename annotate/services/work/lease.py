"""Who works on a row: it is claimed, kept by a heartbeat, given back, ended, and found again when lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import BulkChange, Import, Job, TrainingRun, User
from annotate.models.events import EventKind
from annotate.models.work import MOST_ATTEMPTS, W, Work, WorkQuerySet, WorkState
from annotate.services import events
from annotate.services.work import workers

logger = logging.getLogger(__name__)
T = TypeVar("T")

WAKE_SECONDS = 5  # between two messages for one row, so that a busy queue does not fill with copies
AWAY = (OperationalError, InterfaceError)  # the database is busy or away, and may be back in a moment
AGAIN_SECONDS = 0.5  # between two trials while it is
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
            worker=workers.this_worker(),
            lease_expires_at=_lease_end(),
            heartbeat_at=now,
            noted_at=now,
            started_at=now,
            progress=0.0,
            stage="",
        )
    )
    return rows_of(model).get(pk=pk) if claimed else None


def _lease_end() -> Any:
    return timezone.now() + timedelta(seconds=settings.RUN_LEASE_SECONDS)


def outlasting(call: Callable[[], T]) -> T:
    """Do what the database refuses again until it is back, for as long as a lease lasts.

    A server that starts again has cut the connection, so each trial opens its own. Within a transaction there
    is nothing to try again: what was begun is lost with the connection.
    """
    deadline = time.monotonic() + settings.RUN_LEASE_SECONDS
    while True:
        try:
            return call()
        except AWAY as error:
            if connection.in_atomic_block or time.monotonic() > deadline:
                raise
            logger.warning("The database is away or busy; trying again: %s", error)
        connection.close()
        time.sleep(AGAIN_SECONDS)


def beat(*, row: Work, **noted: object) -> bool:
    """Extend the lease and note fields of the row with it; False where it is no longer this worker's.

    What is noted comes from the work itself, so it goes on; without it only the process is known to live.
    """
    now = timezone.now()
    told = noted | ({"noted_at": now} if noted else {})
    return bool(held(row).update(heartbeat_at=now, lease_expires_at=_lease_end(), **told))


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


def put_off(*, row: Work, seconds: float, why: str) -> bool:
    """Queue a row again for later; what it waits for is away, so this is no attempt."""
    then = timezone.now() + timedelta(seconds=seconds)
    return _queue(row, attempt=row.attempt - 1, error=why, woken_at=then, queued_at=then)


def _queue(row: Work, **fields: object) -> bool:
    fields.setdefault("queued_at", timezone.now())
    return bool(held(row).update(state=WorkState.QUEUED, **FREE, **fields))


def pardon(model: type[Work]) -> int:
    """Take back the attempts that this worker is in the middle of, as it has been told to stop.

    Its rows stay its own, by their tokens: what it still finishes counts. What is killed instead is taken up
    again as from any dead worker, and has as many attempts left as before. Return how many rows it works on.
    """
    rows = rows_of(model).filter(worker__startswith=workers.main(), state=WorkState.RUNNING, attempt__gt=0)
    untold = rows.exclude(worker__endswith=workers.PARDONED)  # to be told twice is once
    return untold.update(attempt=F("attempt") - 1, worker=Concat("worker", Value(workers.PARDONED)))


@transaction.atomic
def cancel(*, row: Work, by: User | None = None) -> bool:
    """End a live row; the worker that is at it stops at its next step, and what it still does is not kept."""
    rows: WorkQuerySet[Any] = rows_of(type(row))
    ended = {"state": WorkState.CANCELLED, "cancelled_by": by, "finished_at": timezone.now()}
    if not rows.live().filter(pk=row.pk).update(**ended, **FREE):
        return False
    # What the site does for itself, as a sweep, nobody cancels by a page.
    if isinstance(row, BulkChange | Import | Job | TrainingRun):
        work, subject = _told(row)
        events.record(EventKind.CANCELLED, by=by, project=row.project, subject=subject, work=work)
    return True


def _told(row: BulkChange | Import | Job | TrainingRun) -> tuple[str, str]:
    """Return what kind of work a row is, and what of it people know."""
    if isinstance(row, Import):
        return "import", row.name
    if isinstance(row, Job):
        return "job", row.kind
    if isinstance(row, BulkChange):
        return "bulk", row.action
    return "run", row.family


def recover(rows: WorkQuerySet[W]) -> list[W]:
    """Fail what was lost too often, and return those of the rows that need a worker woken (again).

    What a dead process of this machine holds is lost at once, without waiting for the end of its lease.
    """
    now = timezone.now()
    for row in rows.filter(state=WorkState.RUNNING, lease_expires_at__gte=now).exclude(worker=""):
        if workers.is_dead(row.worker):
            held(row).update(lease_expires_at=now, woken_at=None)
    for row in rows.lost().filter(attempt__gte=MOST_ATTEMPTS):
        ended = {"state": WorkState.FAILED, "finished_at": now, "error": _killed(row)}
        rows.lost().filter(pk=row.pk, token=row.token).update(**FREE, **ended)
    stale = now - timedelta(seconds=WAKE_SECONDS)
    wanted = list(rows.free().filter(Q(woken_at=None) | Q(woken_at__lt=stale)))
    rows.filter(pk__in=[row.pk for row in wanted]).update(woken_at=now)
    return wanted


def _killed(row: Work) -> str:
    return _(
        "The process that did this work was killed three times in the middle of it, the last time in the "
        "stage “%(stage)s”. That is what happens when a machine's memory runs out: give it more memory, or "
        "this work less to do at once."
    ) % {"stage": row.stage or _("start")}
