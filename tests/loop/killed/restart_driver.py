"""Gives labels, stops PostgreSQL in the middle of a run's fit, and tells as JSON what became of the run.

Its arguments are the command that stops the server and the one that starts it, each as JSON.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tests.loop import loop_driver
from tests.loop.killed.waiting import FITTING, GO
from tests.loop.loop_driver import User, wait_for

AWAY_SECONDS = 5


def main(stop: list[str], start: list[str]) -> None:
    call_command("migrate", verbosity=0)
    project, truth = loop_driver.make_project(random.Random(0))
    loop_driver.label(project, User.objects.create_user("olga"), truth, pool_answers=9)
    fitting = Path(settings.HOME) / FITTING
    wait_for("the middle of a run", lambda: fitting.exists() and bool(fitting.read_text()))
    connection.close()
    subprocess.run(stop, check=True, stdout=subprocess.DEVNULL)
    (Path(settings.HOME) / GO).touch()  # the fit ends, and its next stage finds no database
    time.sleep(AWAY_SECONDS)
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL)
    wait_for("the run's end", project.runs.filter(state="succeeded").exists)
    run = project.runs.get()
    told = {"attempt": run.attempt, "token": run.token, "stages": [one.stage for one in run.versions.all()]}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
