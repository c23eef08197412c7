"""A worker killed in the middle of a run: the run comes back by itself and publishes once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs
from tests.loop.started import ROOT, Start, environ_of, starting

pytestmark = pytest.mark.loop
TRAINING = programs.worker("training", processes=1)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environ_of(tmp_path, "tests.loop.kill_settings")


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Start]:
    with starting(environ) as start:
        yield start


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
    command = [sys.executable, "-m", "tests.loop.kill_driver", *killed]
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
