"""Lines for whoever watches a command: a line that cannot be written is lost, and nothing else is."""

from __future__ import annotations

import io
import os
import select
from typing import Protocol

PATIENCE_MS = 1000  # of a reader who is slow; one who reads nothing is not waited for twice
AT_ONCE = 4096  # bytes that a pipe with room takes without waiting


class Stream(Protocol):
    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def fileno(self) -> int: ...


class Console:
    """Writes lines to a stream without ever failing, or waiting for long, at a full disk or a closed pipe.

    What it reports on has to go on. How many lines were lost is written before the next that gets through.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._lost = 0

    def __call__(self, line: str) -> None:
        told = f"{self._lost} lines could not be written here.\n" if self._lost else ""
        if self._write(f"{told}{line}\n"):
            self._lost = 0
        else:
            self._lost += 1

    def _write(self, text: str) -> bool:
        try:
            descriptor = self._stream.fileno()
        except (io.UnsupportedOperation, AttributeError):  # a stream in memory
            self._stream.write(text)
            return True
        data = text.encode(errors="replace")
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        try:
            while data:
                if not poll.poll(0 if self._lost else PATIENCE_MS):
                    return False
                data = data[os.write(descriptor, data[:AT_ONCE]) :]
        except OSError:
            return False
        return True
