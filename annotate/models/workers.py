from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

SILENT_AFTER = timedelta(seconds=30)  # three pulses: a busy machine may be late with one or two


class WorkerPulseQuerySet(models.QuerySet["WorkerPulse"]):
    def alive(self) -> WorkerPulseQuerySet:
        """Return the queues that a worker serves: it was seen within the last half minute."""
        return self.filter(seen_at__gte=timezone.now() - SILENT_AFTER)


class WorkerPulse(models.Model):
    """When a worker of a queue last gave a sign of life; pages warn of a queue that is silent for long."""

    queue = models.CharField(max_length=40, primary_key=True)
    seen_at = models.DateTimeField()

    objects = WorkerPulseQuerySet.as_manager()

    def __str__(self) -> str:
        return self.queue
