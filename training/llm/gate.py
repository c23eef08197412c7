"""When a question may be sent: a wait that the endpoint asks for holds back all threads, not only one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from training.llm.errors import Stopped


class Gate:
    """All threads pass it before they send a question; closing it ends every wait for good."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.clock = clock
        self._closed = threading.Event()
        self._sleep = sleep or self._closed.wait
        self._lock = threading.Lock()
        self._opens = float("-inf")

    def rest_until(self, moment: float) -> None:
        """Let nothing pass before `moment` on the clock; of several such moments the latest counts."""
        with self._lock:
            self._opens = max(self._opens, moment)

    def close(self) -> None:
        """Let nothing pass any more."""
        self._closed.set()

    def wait(self, earliest: float) -> None:
        """Return once the gate is open and `earliest` has come; raises `Stopped` once it is closed."""
        while not self._closed.is_set():
            with self._lock:  # another thread may have prolonged the wait meanwhile
                left = max(self._opens, earliest) - self.clock()
            if left <= 0:
                return
            self._sleep(left)
        raise Stopped("Asking was stopped.")
