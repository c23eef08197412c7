"""What a process that reads an untrusted file may use: memory, and time on the processor."""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from threading import Thread

NEEDS_MEMORY = 71  # the exit status of a process that `watch` ended
STATM = Path("/proc/self/statm")


def limit_memory(most: int) -> None:
    """Let this process take `most` bytes more than it has now; beyond that, `MemoryError` is raised.

    Linux limits the address space. Where the system has no such limit, as macOS, the process is watched.
    """
    if STATM.exists():
        mapped = int(STATM.read_text().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, mapped + most)
    else:
        Thread(target=watch, args=(_resident() + most,), daemon=True).start()


def release_memory() -> None:
    """Take the limit back, so that a process that ran into it can still say so."""
    if STATM.exists():
        _lower(resource.RLIMIT_AS, resource.RLIM_INFINITY)


def limit_seconds(most: int) -> None:
    """Let this process compute for so many seconds from now on; then the system ends it with SIGXCPU."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + most)


def _lower(kind: int, most: int) -> None:
    """Set the limit that this process may move itself, not above the one that it cannot move."""
    _soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def watch(most: int, seconds: float = 0.05) -> None:
    """End this process with `NEEDS_MEMORY` once it holds more than `most` bytes."""
    while _resident() <= most:
        time.sleep(seconds)
    os._exit(NEEDS_MEMORY)


def _resident() -> int:
    """Return how many bytes this process holds; where no `/proc` tells it, the most that it ever held."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
