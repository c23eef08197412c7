"""Two transactions at once on PostgreSQL, one of them stopped before one of its statements that lock rows."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

Work = Callable[[], object]
LOCKS = re.compile(r"^\s*(INSERT|UPDATE|DELETE|SELECT .* FOR )", re.DOTALL)
PATIENCE = 20.0


@dataclass
class Actor:
    """Does its work in a thread with a connection of its own, and waits before its step number `stop`.

    A step is a statement that may lock rows, or a commit: PostgreSQL checks references only there.
    """

    work: Work
    stop: int = -1
    steps: int = 0
    error: BaseException | None = None
    pid: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            hurry()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            commit = connection._commit  # type: ignore[attr-defined]

            def gated() -> None:
                self._step()
                commit()

            connection._commit = gated  # type: ignore[attr-defined]
            with connection.execute_wrapper(self._before):
                self.work()
        except BaseException as error:
            self.error = error
        finally:
            connection.close()
            del connection._commit  # type: ignore[attr-defined]
            self.ended.set()
            self.stopped.set()

    def _before(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if LOCKS.match(sql):
            self._step()
        return execute(sql, *rest)

    def _step(self) -> None:
        if self.steps == self.stop:
            self.stopped.set()
            assert self.may_go_on.wait(PATIENCE)
        self.steps += 1


def hurry() -> None:
    """Let this connection wait for no disk, and look for a deadlock soon; a session of its own sets both."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off; SET deadlock_timeout = '30ms'")


def interleave(first: Work, second: Work, *, stop: int) -> tuple[bool, list[BaseException]]:
    """Stop `first` before its step `stop`, let `second` run until it ends or waits for `first`, finish both.

    Returns whether `first` had such a step, and what was raised, a deadlock among it.
    """
    one, other = Actor(first, stop), Actor(second)
    one.start()
    assert one.stopped.wait(PATIENCE)
    was_stopped = not one.ended.is_set()
    other.start()
    deadline = time.monotonic() + PATIENCE
    while not other.ended.wait(0.002) and not _waits(other.pid):
        assert time.monotonic() < deadline
    one.may_go_on.set()
    assert one.ended.wait(PATIENCE)
    assert other.ended.wait(PATIENCE)
    return was_stopped, [actor.error for actor in (one, other) if actor.error is not None]


def _waits(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])
