"""Whether a queue stands still behind a worker that lives: rows wait, and none was taken up meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, F, Min, Q, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotate.models.work import WorkQuerySet, WorkState


@dataclass(frozen=True, slots=True)
class Standstill:
    """`waiting` rows wait, the longest `since` then, behind work begun at `busy_since` or behind none."""

    waiting: int
    since: datetime
    busy_since: datetime | None = None


def of(rows_by_kind: Iterable[WorkQuerySet[Any]]) -> Standstill | None:
    """Return how a queue with rows of these kinds stands still; None where nothing waits or work goes on."""
    kinds = list(rows_by_kind)
    # A row whose worker was lost waits from the end of its lease.
    lost = Coalesce("lease_expires_at", "queued_at")
    since = Case(When(state=WorkState.RUNNING, then=lost), default=F("queued_at"))
    # What was put off until later does not wait for a worker.
    waits = Q(queued_at__lte=timezone.now())
    found = [rows.free().filter(waits).aggregate(n=Count("pk"), since=Min(since)) for rows in kinds]
    waiting = sum(of_kind["n"] for of_kind in found)
    if not waiting:
        return None
    oldest = min(of_kind["since"] for of_kind in found if of_kind["n"])
    if any(rows.filter(started_at__gt=oldest).exists() for rows in kinds):
        return None
    kept = {"state": WorkState.RUNNING, "lease_expires_at__gte": timezone.now()}
    begun = [rows.filter(**kept).aggregate(first=Min("started_at"))["first"] for rows in kinds]
    return Standstill(waiting, oldest, min(filter(None, begun), default=None))
