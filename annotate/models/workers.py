from __future__ import annotations

from django.db import models


class WorkerPulse(models.Model):
    """When a worker of a queue was last seen; the pages name a queue whose pulse is old."""

    queue = models.CharField(max_length=40, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.queue
