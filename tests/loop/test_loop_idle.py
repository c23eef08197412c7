"""Nobody presses a button: beat embeds what came in, and trains once people have stopped labelling."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotate.embedded import programs
from tests.loop.loop_driver import FILLER, WORDS
from tests.loop.started import ROOT, environ_of, starting
from tests.training.families.checkpoints import write_tiny_checkpoint

pytestmark = pytest.mark.loop
# An encoder of random weights has nothing but its vocabulary to tell texts apart by.
VOCABULARY = (*WORDS, *FILLER, *(word for words in WORDS.values() for word in words))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", VOCABULARY)
    return environ_of(tmp_path, "tests.loop.idle_settings", WINNOW_ENCODER=str(checkpoint))


@pytest.fixture
def site(tmp_path: Path, environ: dict[str, str]) -> Iterator[None]:
    """Start the embedded broker, the workers of both queues and beat."""
    (tmp_path / "run").mkdir()
    with starting(environ) as start:
        start(programs.broker(tmp_path))
        for queue in ("interactive", "training"):
            start(programs.worker(queue, processes=1))
        start(programs.beat())
        yield


@pytest.mark.usefixtures("site")
def test_idle_people_are_enough_for_the_next_model(environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.loop.idle_driver"]
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
