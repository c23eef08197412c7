"""Which process works on what: each holds a lock on a file of its own, so that others see when it is dead.

The kernel lets go of a lock however a process ends, and a number that another process gets later does not
bring it back. The file says what its process works on, for the worker's main process, which may have to end
it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from django.conf import settings

logger = logging.getLogger(__name__)

_HOST = re.sub(r"[^\w-]", "-", socket.gethostname())[:50]
PARDONED = "~"  # behind the name of a worker that was told to stop
ROOM = 200  # bytes of a file, written at once: a note must not need room on a disk that has become full


@dataclass(frozen=True, slots=True)
class Busy:
    """The row that a process works on, and the claim that it does so by."""

    model: str
    pk: int
    token: int


def _new_name() -> str:
    return f"{_HOST}.{os.getpid()}.{secrets.token_hex(4)}"


_main = _new_name()


def begin() -> None:
    """Give this process a name of its own, with which the names of the children that it forks will begin.

    NB: a worker may be forked itself, from a process that has imported this module.
    """
    global _main, _own
    _main, _own = _new_name(), None


def main() -> str:
    """Return the name of the worker that this process is, or is a child of."""
    return _main


class _Own:
    """The name and the locked file of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.name = f"{main()}.{self.pid}.{secrets.token_hex(4)}"
        self.file: IO[bytes] | None = None
        try:
            folder().mkdir(parents=True, exist_ok=True)
            self.file = path_of(self.name).open("wb", buffering=0)
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.note("")
        except OSError as error:  # its rows are taken up when their leases end, as from another machine
            logger.warning("The worker's file could not be written to %s: %s", folder(), error)

    def note(self, text: str) -> None:
        if self.file is not None:
            os.pwrite(self.file.fileno(), text.encode().ljust(ROOM), 0)


_own: _Own | None = None


def _this() -> _Own:
    global _own
    if _own is None or _own.pid != os.getpid():  # a forked child is another worker
        _own = _Own()
    return _own


def this_worker() -> str:
    """Return the name of this process, which it holds a lock for until it ends."""
    return _this().name


def folder() -> Path:
    return Path(settings.WORKER_ROOT)


def path_of(worker: str) -> Path:
    """Return the file of a worker, whether it was told to stop or not."""
    return folder() / Path(worker.removesuffix(PARDONED)).name


@contextmanager
def busy(model: str, pk: int, token: int) -> Iterator[None]:
    """Note what this process works on, for as long as it does."""
    own = _this()
    with suppress(OSError):
        own.note(json.dumps(asdict(Busy(model, pk, token))))
    try:
        yield
    finally:
        with suppress(OSError):
            own.note("")


def is_dead(worker: str) -> bool:
    """Tell whether a worker of this machine is gone; one whose file is not to be seen may well be alive."""
    try:
        with path_of(worker).open("rb") as file:
            # Shared, so that two who look at the same time do not take each other for the worker.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def children() -> list[tuple[str, Busy]]:
    """Return the living children of this main process that work on something, and on what."""
    found = []
    for path in folder().glob(f"{main()}.*"):
        with suppress(OSError, ValueError):  # it may have ended meanwhile
            if (text := path.read_bytes().strip(b" \0")) and not is_dead(path.name):
                found.append((path.name, Busy(**json.loads(text))))
    return found


def kill(worker: str) -> None:
    """End a child of this main process, which may be in the middle of a computation that hears nothing."""
    pid = int(worker.removesuffix(PARDONED).split(".")[-2])
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
