"""Gives labels until a run has begun, and tells as JSON how it ended, once its process is gone."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from tests.loop import loop_driver
from tests.loop.killed.waiting import FITTING
from tests.loop.loop_driver import User, wait_for


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    call_command("migrate", verbosity=0)
    project, truth = loop_driver.make_project(random.Random(0))
    loop_driver.label(project, User.objects.create_user("olga"), truth, pool_answers=9)
    wait_for("the run's end", project.runs.filter(state="failed").exists)
    pid = int((Path(settings.HOME) / FITTING).read_text())
    wait_for("the process's end", lambda: not is_there(pid))
    run = project.runs.get()
    print(json.dumps({"error": run.error, "attempt": run.attempt}))  # noqa: T201


if __name__ == "__main__":
    main()
