"""What ends is started again for ever once the site has worked, but what is done once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

from annotate.embedded import supervisor as module
from annotate.embedded.programs import Program, command
from annotate.embedded.supervisor import MOST_DOUBLINGS, MOST_RESTARTS, Supervisor

pytestmark = pytest.mark.one_database

MANY = 3 * MOST_RESTARTS


@pytest.fixture
def lines() -> list[str]:
    return []


def ending(*, essential: bool) -> Program:
    return Program("it", [sys.executable, "-S", "-c", "raise SystemExit(3)"], essential=essential)


def run(supervisor: Supervisor, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    supervisor.run_until(lambda: reached() or time.monotonic() > deadline)
    supervisor.stop()


def test_a_site_that_never_worked_ends_with_what_it_needs(lines: list[str]) -> None:
    supervisor = Supervisor(lines.append, first_delay=0.001)
    supervisor.start(ending(essential=True))
    run(supervisor, lambda: len(lines) > MANY)
    assert supervisor.failed
    assert len(lines) == MOST_RESTARTS + 2
    assert "it ended 6 times in a row; its lines say why." in lines[-2]
    assert "Without it there is no site" in lines[-1]


@pytest.mark.parametrize(("essential", "persists"), [(True, True), (False, True), (False, False)])
def test_what_ends_again_and_again_is_always_started_again(
    essential: bool, persists: bool, lines: list[str]
) -> None:
    supervisor = Supervisor(lines.append, first_delay=0.001)
    supervisor.persists = persists
    supervisor.start(ending(essential=essential))
    run(supervisor, lambda: len(lines) >= MANY)
    assert not supervisor.failed
    assert len(lines) == MANY
    assert all("starts again in" in line for line in lines)


def test_no_restart_waits_for_long_however_many_there_were(
    lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = Supervisor(lines.append)
    supervisor._restarts["it"] = 10_000
    supervisor.start(ending(essential=True))
    supervisor.persists = True
    run(supervisor, lambda: bool(lines))
    assert f"it starts again in {2**MOST_DOUBLINGS} s." in lines[0]
    assert 2**MOST_DOUBLINGS < module.STEADY / 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, ["done        | x"]),
        (3, ["done        | x", "up          | done ended with code 3. Its lines say why."]),
    ],
)
def test_what_is_done_once_is_not_started_again(code: int, said: list[str]) -> None:
    lines = list[str]()
    supervisor = Supervisor(lines.append, first_delay=0.0)
    line = f"print('x'); raise SystemExit({code})"
    supervisor.start(Program("done", [sys.executable, "-c", line], once=True))
    deadline = time.monotonic() + 5
    supervisor.run_until(lambda: time.monotonic() > deadline or len(lines) >= len(said))
    ended = time.monotonic()
    supervisor.run_until(lambda: time.monotonic() > ended + 0.5)
    supervisor.stop()
    assert lines == said


def test_a_command_beside_the_site_is_one_of_ours() -> None:
    program = command(["demo", "--oracle", "300"])
    assert (program.name, program.module) == ("demo", ["django", "demo", "--oracle", "300"])
    assert program.once
