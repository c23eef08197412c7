"""The main loop with real workers and a real broker: label, retrain, publish, predict, choose, better."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs
from tests.loop.started import ROOT, environ_of, starting

pytestmark = pytest.mark.loop


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environ_of(tmp_path, "tests.loop.loop_settings")


@pytest.fixture
def site(tmp_path: Path, environ: dict[str, str]) -> Iterator[None]:
    """Start the embedded broker and the workers of both queues."""
    with starting(environ) as start:
        start(programs.broker(tmp_path))
        for queue in ("interactive", "training"):
            start(programs.worker(queue, processes=1))
        yield


@pytest.mark.usefixtures("site")
def test_it_gets_better_by_what_people_label(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.loop.loop_driver"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == []
    assert found["versions"] >= 2
    assert found["last"] > found["first"]
    assert found["documents_decided"] == found["decided"]
