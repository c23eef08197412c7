"""What only one embedded site at a time may hold: its folder and its port."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path


class Taken(Exception):
    """Another process holds the folder or the port; the message is a sentence for a person."""


class FolderLock:
    """A lock on the folder, held until the process ends in any way. Its file says which process holds it.

    The program that this process becomes holds it on.
    """

    def __init__(self, home: Path, *, url: str) -> None:
        path = home / "run" / "up.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip()
            self._file.close()
            raise Taken(
                f"Winnow already runs on {home}: {holder}. "
                "Stop it first, or name another folder in WINNOW_HOME."
            ) from error
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()}, {url}")
        self._file.flush()
        os.set_inheritable(self._file.fileno(), True)

    def close(self) -> None:
        self._file.close()


def is_held(home: Path) -> bool:
    """Tell whether an embedded site runs on the folder."""
    try:
        with (home / "run" / "up.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise Taken(
                f"Winnow cannot listen on {host}:{port}: {reason}. Choose another port with --port."
            ) from error
