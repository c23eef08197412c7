from __future__ import annotations

from datetime import timedelta
from typing import Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class WorkState(models.TextChoices):
    QUEUED = "queued", _("Waiting for a worker")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


LIVE_STATES = [WorkState.QUEUED, WorkState.RUNNING]
MOST_ATTEMPTS = 3

W = TypeVar("W", bound="Work")


class WorkQuerySet(models.QuerySet[W]):
    def live(self) -> Self:
        return self.filter(state__in=LIVE_STATES)

    def lost(self) -> Self:
        """Return the rows whose worker has not been heard of for as long as its lease lasted."""
        return self.filter(state=WorkState.RUNNING).exclude(lease_expires_at__gte=timezone.now())

    def free(self) -> Self:
        """Return the rows that a worker may claim: they wait or were lost, and were not tried too often."""
        is_kept = Q(state=WorkState.RUNNING, lease_expires_at__gte=timezone.now())
        return self.live().filter(~is_kept, attempt__lt=MOST_ATTEMPTS)

    def held_by(self, row: W) -> Self:
        """Return the row as long as it is still the work of whoever claimed it as `row`."""
        return self.filter(pk=row.pk, token=row.token, state=WorkState.RUNNING)


class Work(models.Model):
    """A row that is a job for a worker; a message only wakes a worker to it.

    `token` grows with every claim: a worker that lost its lease holds an old token, so that nothing it
    writes under that token is kept. `attempt` counts the claims that ended without the work being done; a
    worker that is told to stop, and a job that gives way to others, take theirs back. `worker` names the
    process that holds the lease. `heartbeat_at` tells that it lives, `noted_at` that its work goes on,
    `queued_at` since when it waits or has waited.
    `error` is a sentence for the lead; the traceback is in the worker's log.
    """

    state = models.CharField(max_length=10, choices=WorkState, default=WorkState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    token = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)
    stage = models.CharField(max_length=100, blank=True)
    progress = models.FloatField(default=0.0)
    error = models.TextField(blank=True)
    cancelled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES


SILENT_AFTER = timedelta(seconds=30)  # three pulses: a busy machine may be late with one or two
STILL_AFTER = timedelta(seconds=60)  # of work that is not taken up; a lost message comes again in seconds
BUSY_AFTER = timedelta(minutes=10)  # of work that waits behind other work


class WorkerPulseQuerySet(models.QuerySet["WorkerPulse"]):
    def alive(self) -> WorkerPulseQuerySet:
        """Return the queues that a worker serves: it was seen within the last half minute."""
        return self.filter(seen_at__gte=timezone.now() - SILENT_AFTER)


class WorkerPulse(models.Model):
    """When a worker of a queue last gave a sign of life, and how its queue stood still then, if it did.

    Pages warn of a queue that is silent for long, or stands still for long: `waiting` rows wait, the longest
    since `still_since`, behind work that began at `busy_since`, or behind none.
    """

    queue = models.CharField(max_length=40, primary_key=True)
    seen_at = models.DateTimeField()
    waiting = models.PositiveIntegerField(default=0)
    still_since = models.DateTimeField(null=True)
    busy_since = models.DateTimeField(null=True)

    objects = WorkerPulseQuerySet.as_manager()

    def __str__(self) -> str:
        return self.queue

    @property
    def stands_still(self) -> bool:
        """Tell whether the queue has stood still for so long that people should know."""
        longest = BUSY_AFTER if self.busy_since else STILL_AFTER
        return self.still_since is not None and timezone.now() - self.still_since > longest
