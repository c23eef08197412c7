"""Lets short writing transactions run one after another.

SQLite's own waiting is a sleep that grows to a tenth of a second: under load the lock is free meanwhile, and
some wait far longer than others. A file lock wakes the next one at once, across threads and processes.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

# Threads share one interpreter: a second decision at work would slow the one that holds the database.
alone = threading.Lock()


@contextmanager
def in_turn() -> Iterator[None]:
    """Run a transaction when its turn has come; other writers of the database may still run beside it."""
    name = str(connection.settings_dict["NAME"])
    is_in_memory = ":memory:" in name or "mode=memory" in name
    if connection.vendor != "sqlite" or connection.in_atomic_block or is_in_memory:
        with transaction.atomic():
            yield
        return
    handle = os.open(f"{name}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with transaction.atomic():
            yield
    finally:
        os.close(handle)
