"""How far work is, noted for the pages, and how a worker learns that its row is no longer its own."""

from __future__ import annotations

import time

from annotate.models.work import Work
from annotate.services.work import lease
from training.types import ProgressCallback

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
        now = time.monotonic()
        if stage == self._stage and now - self._noted < NOTED_SECONDS:
            return
        if not lease.beat(row=self._row, stage=stage, progress=done):
            raise Superseded
        self._stage, self._noted = stage, now
