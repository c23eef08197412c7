"""One child process in a process group of its own: what it prints, and how it ends with all its children."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from annotate.embedded.programs import Program

PR_SET_PDEATHSIG = 1


class Child:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.started = time.monotonic()
        self._unfinished = b""
        self.process = subprocess.Popen(
            program.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environ},
            start_new_session=True,
            preexec_fn=_end_with(os.getpid()),  # safe: the supervisor has one thread
        )
        assert self.process.stdout is not None
        self.output = self.process.stdout
        os.set_blocking(self.output.fileno(), False)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def lines(self) -> list[str]:
        """Return the complete lines that the child has printed since the last call."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.output.fileno(), 65536):
                self._unfinished += chunk
        *whole, self._unfinished = self._unfinished.split(b"\n")
        return [line.decode(errors="replace") for line in whole]

    def ask_to_stop(self) -> None:
        if self.running:
            self.process.terminate()

    def end(self) -> None:
        """Kill what is left of the group: the child itself, or processes that it started and left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _end_with(parent: int) -> Callable[[], None] | None:
    """Return what a child runs before its program, so that the kernel ends it if the supervisor is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the supervisor was killed before this child could ask to be told
            os.kill(os.getpid(), signal.SIGTERM)

    return ask
