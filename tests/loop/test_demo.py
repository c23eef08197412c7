"""The demo with an oracle beside it: one command starts the site, and models are there to look at."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.loop.started import ROOT, environ_of

pytestmark = pytest.mark.loop
PATIENCE = 300.0
ANSWERS = 60


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environ_of(tmp_path, "tests.loop.loop_settings")


def drive(environ: dict[str, str], action: str) -> str:
    command = [sys.executable, "-m", "tests.loop.demo_driver", action]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_until_answered(environ: dict[str, str], log: Path) -> str:
    """Start the site with its oracle, end all once that has done its work, and return what was said."""
    words = ["demo", "--up", "--oracle", str(ANSWERS), "--port", str(free_port())]
    with log.open("wb") as output:
        command = [sys.executable, "-u", "manage.py", *words]
        site = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE
        while _reports(environ) == 0:
            assert site.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(1)
    finally:
        os.kill(site.pid, signal.SIGINT)
        site.wait(timeout=60)
    return log.read_text()


def _reports(environ: dict[str, str]) -> int:
    return int(told(environ)["report_cards"])


def told(environ: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(drive(environ, "tell").splitlines()[-1])
    return found


def test_the_oracles_answers_come_in_steps_and_leave_a_curve_and_a_report_card(
    environ: dict[str, str], tmp_path: Path
) -> None:
    drive(environ, "seed")
    said = run_until_answered(environ, tmp_path / "said.log")
    assert f"The oracle gave {ANSWERS} answers in “Kind of text”." in said
    found = told(environ)
    assert found["answers"] == found["documents"] == ANSWERS
    assert len(found["versions"]) >= 2
    assert found["published"]
    assert found["predicted"]
    assert found["failed"] == []
