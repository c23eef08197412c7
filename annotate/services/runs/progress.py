"""How far a run is, noted for the pages, and how a worker learns that its run is no longer its own."""

from __future__ import annotations

import time

from annotate.models import TrainingRun
from annotate.services.runs import schedule
from training.types import ProgressCallback

TELL_SECONDS = 1.0


class Superseded(Exception):
    """The run was cancelled, or another worker has it: this one stops without a trace."""


class Teller:
    """Notes how far a run is, at most once a second within a stage, and ends a run that was cancelled."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._stage, self._told = "", 0.0
        self._start = 0.0

    def until(self, share: float) -> ProgressCallback:
        """Return what tells of work that takes the run up to this share.

        What is told afterwards shares the rest.
        """
        start = self._start
        end = self._start = max(start, share)
        return lambda stage, done: self._tell(stage, start + (end - start) * done)

    def __call__(self, stage: str, done: float) -> None:
        self._tell(stage, self._start + (1.0 - self._start) * done)

    def _tell(self, stage: str, done: float) -> None:
        now = time.monotonic()
        if stage == self._stage and now - self._told < TELL_SECONDS:
            return
        if not schedule.beat(run=self._run, stage=stage, progress=done):
            raise Superseded
        self._stage, self._told = stage, now
