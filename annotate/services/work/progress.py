"""How far work is, noted for the pages, and how a worker learns that its row is no longer its own."""

from __future__ import annotations

import logging
import time
from functools import partial

from django.db import connection

from annotate.models.work import Work
from annotate.services.work import lease
from training.types import ProgressCallback

logger = logging.getLogger(__name__)

NOTED_SECONDS = 1.0


class Superseded(Exception):
    """The row was cancelled, or another worker has it: this one stops without a trace."""


class ProgressMeter:
    """Notes how far a row is, at most once a second within a stage, and ends one that was cancelled."""

    def __init__(self, row: Work) -> None:
        self._row = row
        self._stage, self._noted = "", 0.0
        self._start = 0.0

    def until(self, share: float) -> ProgressCallback:
        """Return the callback of a part that takes the work up to this share of the whole.

        What is noted afterwards shares the rest.
        """
        start = self._start
        end = self._start = max(start, share)
        return lambda stage, done: self._note(stage, start + (end - start) * done)

    def __call__(self, stage: str, done: float) -> None:
        self._note(stage, self._start + (1.0 - self._start) * done)

    def _note(self, stage: str, done: float) -> None:
        """Note it. Within a stage a database that is away is no reason to stop; a new stage waits for it."""
        now = time.monotonic()
        is_new = stage != self._stage
        if not is_new and now - self._noted < NOTED_SECONDS:
            return
        noted = partial(lease.beat, row=self._row, stage=stage, progress=done)
        try:
            if not (lease.outlasting(noted) if is_new else noted()):
                raise Superseded
        except lease.AWAY as error:
            if is_new or connection.in_atomic_block:
                raise
            logger.warning("How far %s is was not noted: %s", self._row, error)
            connection.close()
        self._stage, self._noted = stage, now
