"""Gives labels, ends what is in the middle of the run, and tells as JSON what became of it.

Its arguments are how to end it, "kill" or "stop", and the worker's main process where that is to end as well.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.test import Client

from tests.loop import loop_driver
from tests.loop.killed.waiting import FITTING, GO
from tests.loop.loop_driver import Project, User, wait_for

GRACE = 4.0  # what is left of a supervisor's patience


def runs_page(project: Project, person: User) -> str:
    project.memberships.create(user=person, role="lead")
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client.get(f"/projects/{project.slug}/runs/").content.decode()


def end(how: str, workers: list[int], trainer: int) -> None:
    """Kill them all; or tell the workers to stop, and kill what has not ended by then."""
    if how == "stop":
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        time.sleep(GRACE)
    for pid in [*workers, trainer]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main(how: str, workers: list[int]) -> None:
    call_command("migrate", verbosity=0)
    project, truth = loop_driver.make_project(random.Random(0))
    person = User.objects.create_user("olga")
    loop_driver.label(project, person, truth, pool_answers=9)
    fitting = Path(settings.HOME) / FITTING
    wait_for("the middle of a run", lambda: fitting.exists() and bool(fitting.read_text()))
    run = project.runs.get()
    was = run.state
    end(how, workers, int(fitting.read_text()))
    (Path(settings.HOME) / GO).touch()
    seconds = wait_for("the run's end", lambda: project.runs.filter(pk=run.pk, state="succeeded").exists())
    run.refresh_from_db()
    of_project = (Path(settings.BUNDLE_ROOT) / str(project.pk)).iterdir()
    told = {
        "was": was,
        "attempt": run.attempt,
        "token": run.token,
        "seconds": seconds,
        "stages": list(run.versions.values_list("stage", flat=True)),
        "published": project.versions.published().count(),
        "bundles": sorted(path.name for path in of_project if path.is_dir()),
        "expected": [f"run-{run.pk}-{run.token}"],
        "page": runs_page(project, person),
    }
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], [int(pid) for pid in sys.argv[2:]])
