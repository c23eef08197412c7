"""A worker killed in the middle of a run: the run comes back by itself and publishes once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs
from annotate.embedded.programs import Program

pytestmark = pytest.mark.loop
ROOT = Path(__file__).resolve().parent.parent
TRAINING = programs.worker("training", processes=1)
Start = Callable[[Program], "subprocess.Popen[bytes]"]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    return kept | {
        "WINNOW_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "tests.kill_settings",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Start]:
    """Return what starts a program; all are ended after the test, the broker last."""
    started = []

    def start(program: Program) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(program.command, env=environ | program.environ, cwd=ROOT))
        return started[-1]

    yield start
    for process in reversed(started):
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.parametrize("victim", ["the child that trains", "the whole worker"])
def test_a_run_outlives_what_works_on_it(
    victim: str, start: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    for program in (programs.broker(tmp_path), programs.worker("interactive", processes=1)):
        start(program)
    trainer = start(TRAINING)
    start(programs.beat(tmp_path))
    killed = [str(trainer.pid)] if victim == "the whole worker" else []
    command = [sys.executable, "-m", "tests.kill_driver", *killed]
    pipe = subprocess.PIPE
    driver = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    if killed:
        trainer.wait(timeout=120)
        start(TRAINING)  # as the supervisor or the container's restart policy does
    told, why = driver.communicate(timeout=200)
    assert driver.returncode == 0, why
    found = json.loads(told.splitlines()[-1])
    assert (found["was"], found["attempt"]) == ("running", 2)
    assert found["stages"] == ["published"]
    assert found["published"] == 1
    assert found["bundles"] == found["expected"]
    assert "attempt 2" in found["page"]
