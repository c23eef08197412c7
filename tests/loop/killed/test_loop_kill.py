"""A worker that ends in the middle of a run: the run comes back by itself and publishes once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate.embedded import programs
from annotate.models.jobs import JobKind
from annotate.queues import QUEUES
from tests.loop.killed.processes import driving, told_by
from tests.loop.killed.waiting import DEAF
from tests.loop.started import Start, environ_of, starting

pytestmark = pytest.mark.loop
TRAINING = programs.worker("training", processes=1)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return environ_of(tmp_path, "tests.loop.killed.kill_settings")


@pytest.fixture
def start(environ: dict[str, str]) -> Iterator[Start]:
    with starting(environ) as start:
        yield start


@pytest.mark.parametrize("victim", ["the child that trains", "the whole worker"])
def test_a_run_outlives_what_works_on_it(
    victim: str, start: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    found = ended_in_the_middle("kill", start, environ, tmp_path, is_whole=victim == "the whole worker")
    assert (found["was"], found["attempt"]) == ("running", 2)
    assert "attempt 2" in found["page"]


@pytest.mark.parametrize("fit", ["hears it", "is deaf to it"])
def test_a_worker_that_is_told_to_stop_costs_its_run_no_attempt(
    fit: str, start: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    if fit == "is deaf to it":
        (tmp_path / DEAF).touch()
    found = ended_in_the_middle("stop", start, environ, tmp_path, is_whole=True)
    assert (found["was"], found["attempt"]) == ("running", 1)
    assert "attempt" not in found["page"]
    assert found["token"] == 2  # it was begun twice all the same


def ended_in_the_middle(
    how: str, start: Start, environ: dict[str, str], home: Path, *, is_whole: bool
) -> dict[str, Any]:
    """Let the driver end a worker in the middle of a run, start another one, and return what became of it."""
    (home / "run").mkdir()
    for program in (programs.broker(home), programs.worker("interactive", processes=1)):
        start(program)
    trainer = start(TRAINING)
    start(programs.beat())
    ended = [str(trainer.pid)] if is_whole else []
    driver = driving(["tests.loop.killed.kill_driver", how, *ended], environ)
    if ended:
        trainer.wait(timeout=120)
        start(TRAINING)  # as the supervisor or the container's restart policy does
    found = told_by(driver)
    assert found["stages"] == ["published"]
    assert found["published"] == 1
    assert found["bundles"] == found["expected"]
    return found


def test_a_job_of_each_kind_whose_process_was_killed_is_done_by_another(tmp_path: Path) -> None:
    environ = environ_of(tmp_path, "tests.loop.killed.jobs_settings")
    (tmp_path / "run").mkdir()
    with starting(environ) as start:
        # The tick opens some of the jobs itself, and needs a process beside those that wait.
        workers = [programs.worker(queue, processes=4) for queue in QUEUES]
        for program in (programs.broker(tmp_path), *workers, programs.beat()):
            start(program)
        found = told_by(driving(["tests.loop.killed.jobs_driver"], environ))
    assert set(found) == set(JobKind.values)
    assert {kind: job["attempt"] for kind, job in found.items()} == dict.fromkeys(found, 2)


def test_a_run_that_hangs_is_ended_by_its_worker_at_the_limit_of_its_stage(tmp_path: Path) -> None:
    environ = environ_of(tmp_path, "tests.loop.killed.hang_settings")
    (tmp_path / "run").mkdir()
    with starting(environ) as start:
        for program in (programs.broker(tmp_path), TRAINING):
            start(program)
        found = told_by(driving(["tests.loop.killed.hang_driver"], environ))
    assert "hung in the stage “fit”" in found["error"]
    assert found["attempt"] == 1
