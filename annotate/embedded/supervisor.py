"""Starts programs, shows their lines, restarts what dies, and stops all of them; one thread, no locks."""

from __future__ import annotations

import selectors
import signal
import time
from collections.abc import Callable
from types import FrameType

from annotate.embedded.child import Child
from annotate.embedded.programs import Program

TICK = 0.1
GRACE = 8.0
STEADY = 60.0
MOST_RESTARTS = 5
MOST_DOUBLINGS = 4  # of the second before a restart
TRY_AGAIN = 5.0


class Supervisor:
    def __init__(
        self, write: Callable[[str], object], *, first_delay: float = 1.0, grace: float = GRACE
    ) -> None:
        self._write = write
        self._first_delay = first_delay
        self._grace = grace
        self._children: dict[str, Child] = {}
        self._order: list[str] = []
        self._restarts: dict[str, int] = {}
        self._due: dict[str, tuple[float, Program]] = {}
        self._selector = selectors.DefaultSelector()
        self.stopping = False
        self.failed = False
        # Set once the site has worked: what ends again and again after that lacks something that may come
        # back, as room on a full disk.
        self.persists = False

    def stop_on_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._signalled)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def start(self, program: Program) -> None:
        child = Child(program)
        self._children[program.name] = child
        if program.name not in self._order:
            self._order.append(program.name)
        self._selector.register(child.output, selectors.EVENT_READ, child)

    def run_until(self, reached: Callable[[], bool]) -> bool:
        """Look after the programs until `reached` returns True; return False if they have to stop before."""
        while not self.stopping:
            if reached():
                return True
            self.step()
        return False

    def step(self) -> None:
        """Print what the programs said, notice which have ended, and start those again that are due."""
        for key, _mask in self._selector.select(TICK):
            self._show(key.data)
        for child in list(self._children.values()):
            if not child.running:
                self._bury(child)
        for name, (when, program) in list(self._due.items()):
            if time.monotonic() >= when and not self.stopping:
                self._start_again(name, program)

    def _start_again(self, name: str, program: Program) -> None:
        del self._due[name]
        try:
            self.start(program)
        except OSError as error:  # no memory or no room for another process
            self._say(f"{name} could not be started: {error}. It is tried again in {TRY_AGAIN:g} s.")
            self._due[name] = (time.monotonic() + TRY_AGAIN, program)

    def _show(self, child: Child) -> None:
        for line in child.lines():
            self._write(f"{child.program.name:<11} | {line}")

    def _bury(self, child: Child) -> None:
        self._forget(child)
        if self.stopping:
            return
        name = child.program.name
        if child.program.once:
            if child.exit_code:
                self._say(f"{name} ended with code {child.exit_code}. Its lines say why.")
            return
        restarts = 0 if time.monotonic() - child.started > STEADY else self._restarts.get(name, 0)
        self._restarts[name] = restarts + 1
        if restarts >= MOST_RESTARTS and child.program.essential and not self.persists:
            self._say(f"{name} ended {restarts + 1} times in a row; its lines say why.")
            self._say(f"Without {name} there is no site: everything stops.")
            self.failed = self.stopping = True
            return
        delay = self._first_delay * 2 ** min(restarts, MOST_DOUBLINGS)
        self._say(f"{name} ended with code {child.exit_code}; it starts again in {delay:g} s.")
        self._due[name] = (time.monotonic() + delay, child.program)

    def _forget(self, child: Child) -> None:
        self._show(child)
        self._selector.unregister(child.output)
        child.end()
        del self._children[child.program.name]

    def stop(self) -> None:
        """Stop all programs, the first one last: the broker has to outlive the programs that talk to it."""
        self.stopping = True
        self._due.clear()
        for names in (self._order[1:], self._order[:1]):
            children = [self._children[name] for name in names if name in self._children]
            for child in children:
                child.ask_to_stop()
            deadline = time.monotonic() + self._grace
            while any(child.running for child in children) and time.monotonic() < deadline:
                for key, _mask in self._selector.select(TICK):
                    self._show(key.data)
            for child in children:
                self._forget(child)

    def _say(self, line: str) -> None:
        self._write(f"{'up':<11} | {line}")
