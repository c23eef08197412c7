"""Labels a few documents and goes away; tells as JSON what the site made of it with nobody's help."""

from __future__ import annotations

import json
import random

from django.core.management import call_command

from tests.loop import loop_driver
from tests.loop.loop_driver import Project, User, accuracy, has_chosen, is_served, wait_for

ANSWERS = 60
IDLE_SECONDS = 4
loop_driver.PATIENCE = 240.0  # the first vectors wait for the encoder's export


def is_learned(project: Project) -> bool:
    """Tell whether a version that learned from all answers serves, has predicted and fills the queue."""
    version = project.versions.published().first()
    return version is not None and version.labelled == ANSWERS and is_served(project, version.number)


def main() -> None:
    call_command("migrate", verbosity=0)
    project, truth = loop_driver.make_project(random.Random(0))
    Project.objects.update(retrain_after=1_000, retrain_idle_seconds=IDLE_SECONDS)
    project.refresh_from_db()
    seconds = [wait_for("the model of the names", lambda: has_chosen(project, 1))]
    loop_driver.label(project, User.objects.create_user("olga"), truth, pool_answers=ANSWERS)
    seconds.append(wait_for("a model of the labels", lambda: is_learned(project)))
    version = project.versions.published().get()
    runs = project.runs.order_by("pk")
    told = {
        "reasons": list(runs.values_list("reason", flat=True)),
        "asked_for": runs.exclude(requested_by=None).count(),
        "families": sorted(set(project.versions.values_list("family", flat=True))),
        "failed": list(runs.filter(state="failed").values_list("error", flat=True)),
        "labelled": version.labelled,
        "predicted": version.predictions.count(),
        "accuracy": accuracy(project, random.Random(1)),
        "seconds": seconds,
    }
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
