"""Remembers that a server is away, so that nobody waits for it again at once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

REST_SECONDS = 3.0  # short enough that nobody notices its end, long enough that few requests wait


class Breaker:
    """Calls a server that may be away: a call that fails counts as one that found nothing.

    After a failure nobody asks for `rest` seconds; then one caller tries, and the others go on without. An
    outage is logged by a line at its start and one at its end, however many calls fell into it.
    """

    def __init__(
        self,
        name: str,
        errors: tuple[type[Exception], ...],
        *,
        rest: float = REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._errors, self._rest, self._clock = name, errors, rest, clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget what happened before."""
        self._began: float | None = None
        self._next_try = 0.0
        self._missed = 0

    def attempt(self, work: Callable[[], Result], otherwise: Result) -> Result:
        """Return what `work` does, or `otherwise` where the server is away."""
        if not self._may_try():
            return otherwise
        try:
            result = work()
        except self._errors as error:
            self._note_failure(error)
            return otherwise
        if self._began is not None:
            self._note_return()
        return result

    def _may_try(self) -> bool:
        if self._began is None:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_try:
                self._missed += 1
                return False
            self._next_try = now + self._rest
            return True

    def _note_failure(self, error: Exception) -> None:
        with self._lock:
            now = self._clock()
            is_first = self._began is None
            self._began = now if self._began is None else self._began
            self._next_try = now + self._rest
            self._missed += 1
        if is_first:
            logger.warning("%s is away, and all else goes on without it: %s", self._name, error)

    def _note_return(self) -> None:
        with self._lock:
            if self._began is None:  # another thread has said so
                return
            seconds, missed = self._clock() - self._began, self._missed
            self.reset()
        logger.warning(
            "%s answers again after %.0f s; %d calls went without it.", self._name, seconds, missed
        )


# The cache and the broker are one server. It is away as well where it refuses to write, as on a full disk.
REDIS = Breaker("Redis", (RedisError, OperationalError, OSError))
