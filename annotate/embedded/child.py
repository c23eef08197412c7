"""One child process in a process group of its own: what it prints, and how it ends with all its children.

A Python program is not started anew where that can be helped: it is forked from the supervisor, which has
imported what all of them need, so that they share that memory. Elsewhere its command line is run.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess

from annotate.embedded.programs import Program

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LONGEST_NAME = 15  # bytes, by the kernel
IS_LINUX = sys.platform.startswith("linux")
FORKS = IS_LINUX  # the system libraries of macOS break in a fork that runs no program of its own
LONGEST_LINE = 64 * 1024  # bytes


class Child:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.started = time.monotonic()
        self._unfinished = b""
        supervisor = os.getpid()
        self.output, printed = os.pipe()
        os.set_blocking(self.output, False)
        self._process: BaseProcess | subprocess.Popen[bytes]
        if FORKS and program.module:
            context = multiprocessing.get_context("fork")
            self._process = context.Process(target=_become, args=(program, printed, supervisor))
            self._process.start()
        else:
            self._process = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environ},
                start_new_session=True,
                preexec_fn=lambda: _prepare(program, supervisor),  # safe: we have one thread
            )
        os.close(printed)

    @property
    def exit_code(self) -> int | None:
        """None while it runs; after a signal its negative number."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        return self._process.exitcode

    @property
    def running(self) -> bool:
        return self.exit_code is None

    def lines(self) -> list[str]:
        """Return the complete lines that the child has printed since the last call."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.output, 65536):
                self._unfinished += chunk
        *whole, self._unfinished = self._unfinished.split(b"\n")
        if len(self._unfinished) > LONGEST_LINE:  # a progress bar may never end its line
            whole, self._unfinished = [*whole, self._unfinished], b""
        return [line.decode(errors="replace") for line in whole]

    def ask_to_stop(self) -> None:
        if self.running:
            self._process.terminate()

    def end(self) -> None:
        """Kill what is left of the group: the child itself, or processes that it started and left behind."""
        assert self._process.pid is not None
        self._process.kill()  # by itself too: a fork that has just begun has no group of its own yet
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        if isinstance(self._process, subprocess.Popen):
            self._process.wait()
        else:
            self._process.join()
        os.close(self.output)


def _become(program: Program, printed: int, parent: int) -> None:
    """In a fork of the supervisor: let go of all that is its own, and run the program's module."""
    os.setsid()
    _prepare(program, parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, standard in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(ours, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the lock on the folder and the pipes of the others
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(program.environ)
    sys.argv = program.module
    runpy.run_module(program.module[0], run_name="__main__", alter_sys=True)


def _prepare(program: Program, parent: int) -> None:
    """Take the program's name and priority, and let the kernel end it if the supervisor is killed."""
    os.nice(program.nice)
    if not IS_LINUX:
        return
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_NAME, f"winnow-{program.name}".encode()[:LONGEST_NAME])
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the supervisor was killed before this child could ask to be told
        os.kill(os.getpid(), signal.SIGTERM)
