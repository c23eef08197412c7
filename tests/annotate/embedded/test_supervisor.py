"""A program that is done once, beside those that are to stay."""

from __future__ import annotations

import sys
import time

import pytest

from annotate.embedded.programs import Program, command
from annotate.embedded.supervisor import Supervisor


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
