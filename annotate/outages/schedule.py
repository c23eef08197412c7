"""The schedule of beat, in memory: it is made of the settings at each start, so no disk has to keep it."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.beat import ScheduleEntry, Scheduler, SchedulingError

from annotate.outages.breaker import Breaker


class MemoryScheduler(Scheduler):
    """Celery's own keeps a pickle in a file, and ends where that cannot be written."""

    # NB: Celery's own waits for the broker for ever before the first message.
    producer = None  # type: ignore[assignment]

    def setup_schedule(self) -> None:
        self._broker = Breaker("Redis", (SchedulingError,), rest=0.0)
        self.update_from_dict(self.app.conf.beat_schedule)

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send what is due; what could not be sent is made good by the next tick."""
        self._broker.attempt(partial(self.apply_async, entry, advance=False), None)
