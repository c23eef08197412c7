"""The main loop with real workers and a real broker: label, retrain, publish, predict, choose, better."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs

pytestmark = pytest.mark.loop
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    return kept | {
        "WINNOW_HOME": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "tests.loop_settings",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def site(tmp_path: Path, environ: dict[str, str]) -> Iterator[None]:
    """Start the embedded broker and the workers of both queues, and end them again."""
    wanted = [
        programs.broker(tmp_path),
        programs.worker("interactive", processes=1),
        programs.worker("training", processes=1),
    ]
    started = [
        subprocess.Popen(program.command, env=environ | program.environ, cwd=ROOT) for program in wanted
    ]
    yield
    for process in reversed(started):  # the broker last: workers hand back to it what they hold
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("site")
def test_it_gets_better_by_what_people_label(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.loop_driver"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == []
    assert found["versions"] >= 2
    assert found["last"] > found["first"]
    assert found["documents_decided"] == found["decided"]
