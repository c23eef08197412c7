"""Reports how far a run is: turns the share of a stage into a share of the whole run."""

from __future__ import annotations

from training.types import ProgressCallback


class Stages:
    """Turns the share of a stage into the share of the run, which only goes forward."""

    def __init__(self, on_progress: ProgressCallback | None) -> None:
        """Take the function that progress is reported to, or None."""
        self._on_progress = on_progress or (lambda stage, done: None)
        self._stage, self._done, self._start, self._until = "", 0.0, 0.0, 0.0

    def enter(self, stage: str, start: float, *, until: float = 1.0) -> None:
        """Begin a stage that takes the run from the share `start` to `until`."""
        self._stage, self._start, self._until = stage, start, until
        self.tell(0.0)

    def tell(self, done: float) -> None:
        """Report that the share `done` of the stage is done."""
        self._done = max(self._done, self._start + (self._until - self._start) * done)
        self._on_progress(self._stage, self._done)
