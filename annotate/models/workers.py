from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

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
