"""Fifty kills at random moments leave nothing on the disk but what a row owns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loop.started import ROOT, environ_of

pytestmark = pytest.mark.loop


def test_the_disk_is_flat_after_fifty_kills(tmp_path: Path) -> None:
    environ = environ_of(tmp_path, "tests.loop.killed.flat_settings")
    command = [sys.executable, "-m", "tests.loop.killed.flat_driver", "0"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["killed"] == 50
    assert found["before"] > 20  # the kills have left something to sweep
    assert len([name for name, removed in found["removed"].items() if removed]) >= 3
    # At most the lock of the process that swept: it has one if a worker was killed within some work.
    assert [path for path in found["left"] if not path.startswith("run/workers/")] == []
    assert len(found["left"]) <= 1
    assert found["lost"] == []  # and nothing went that a row needs
    assert found["live"] == []
    assert found["published"] == 1
    assert found["succeeded"] > 0
    assert max(found["versions"]) == 1  # a run that was killed after its record made no second version
