"""Nobody presses a button: beat embeds what came in, and trains once people have stopped labelling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs
from tests.loop_driver import FILLER, WORDS
from tests.training.checkpoints import write_tiny_checkpoint

pytestmark = pytest.mark.loop
ROOT = Path(__file__).resolve().parent.parent
# An encoder of random weights has nothing but its vocabulary to tell texts apart by.
VOCABULARY = (*WORDS, *FILLER, *(word for words in WORDS.values() for word in words))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    return kept | {
        "WINNOW_HOME": str(tmp_path),
        "WINNOW_ENCODER": str(write_tiny_checkpoint(tmp_path / "checkpoint", VOCABULARY)),
        "DJANGO_SETTINGS_MODULE": "tests.idle_settings",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def site(tmp_path: Path, environ: dict[str, str]) -> Iterator[None]:
    """Start the embedded broker, the workers of both queues and beat, and end them again."""
    (tmp_path / "run").mkdir()
    workers = [programs.worker(queue, processes=1) for queue in ("interactive", "training")]
    wanted = [programs.broker(tmp_path), *workers, programs.beat(tmp_path)]
    started = [
        subprocess.Popen(program.command, env=environ | program.environ, cwd=ROOT) for program in wanted
    ]
    yield
    for process in reversed(started):  # the broker last: workers hand back to it what they hold
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.usefixtures("site")
def test_idle_people_are_enough_for_the_next_model(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.idle_driver"]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failed"] == []
    assert found["reasons"][0] == "names"
    assert set(found["reasons"][1:]) == {"idle"}
    assert found["asked_for"] == 0
    assert found["families"] == ["embedding"]
    assert found["labelled"] == 60
    assert found["predicted"] == 300
    assert found["accuracy"] > 0.5  # of three labels
