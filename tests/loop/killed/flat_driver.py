"""Kills what works fifty times at random moments, sweeps, and tells as JSON what is left on the disk.

Each worker is forked from this process, as Celery does it, and works until it is killed: it takes up what the
one before has left, trains, predicts, and uploads files.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connections

from tests.loop import loop_driver
from tests.loop.loop_driver import Project, User

from annotate import kinds, tasks  # isort: skip
from annotate.models import Import, Job, ModelVersion, TrainingRun  # isort: skip
from annotate.models.work import LIVE_STATES  # isort: skip
from annotate.services.imports import job as imports  # isort: skip
from annotate.services.runs import schedule  # isort: skip
from annotate.services.upkeep import sweep  # isort: skip
from annotate.services.work import lease  # isort: skip

KILLS = 50
LONGEST = 1.5  # seconds that a worker lives
IMPORTED = (
    "onnx", "onnxruntime", "sklearn.cluster", "sklearn.feature_extraction.text", "sklearn.linear_model",
    "sklearn.model_selection", "sklearn.svm", "training.export.onnx", "training.families.build",
    "training.strategies.wrappers", "training.strategies.uncertainty", "tests.loop.killed.waiting",
)  # fmt: skip
ROWS = (TrainingRun, Job, Import)


def work_on_all(project: Project) -> None:
    for model in ROWS:
        for row in lease.recover(lease.rows_of(model)):
            opened = [*kinds.kind_of(row).work(row.pk)]
            for following in opened:
                kinds.kind_of(following).work(following.pk)


def work_for_ever(project: Project) -> None:
    while True:
        file = ContentFile(b"text,label\n" + b"a rose,red\n" * 3_000)
        imports.begin(project=project, user=None, file=file, name="some.csv")
        schedule.open_if_due(project=project, reason=schedule.RunReason.LEAD)
        TrainingRun.objects.update(woken_at=None)
        work_on_all(project)


def kill_one(project: Project, rng: random.Random) -> bool:
    """Let a worker live for a random time; True where it had not ended by itself."""
    connections.close_all()
    pid = os.fork()
    if not pid:
        try:
            work_for_ever(project)
        finally:
            os._exit(1)
    time.sleep(rng.uniform(0.05, LONGEST))
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def on_disk() -> dict[str, int]:
    """Return the bytes of each file, and -1 for each folder, of all that work may leave behind."""
    home, found = Path(settings.HOME), {}
    for name in ("bundles", "encoders", "scratch", "uploads", "tmp", "run/workers"):
        for path in (home / name).rglob("*"):
            found[str(path.relative_to(home))] = path.stat().st_size if path.is_file() else -1
    return found


def owned() -> set[str]:
    """Return the folders and files that a row names."""
    bundles = ModelVersion.objects.exclude(bundle="").values_list("bundle", flat=True)
    files = Import.objects.values_list("file", flat=True)
    return {*(f"bundles/{name}" for name in bundles), *(f"uploads/{name}" for name in files)}


def left() -> dict[str, int]:
    """Return what is on the disk and no row's."""
    mine = owned()

    def is_owned(path: str) -> bool:
        return any(f"{path}/".startswith(f"{name}/") or name.startswith(f"{path}/") for name in mine)

    return {path: size for path, size in on_disk().items() if not is_owned(path)}


def main() -> None:
    call_command("migrate", verbosity=0)
    Path(settings.TEMPORARY_ROOT).mkdir()
    tempfile.tempdir = str(settings.TEMPORARY_ROOT)
    for name in IMPORTED:  # a forked worker has them, so that it is killed in its work and not at its start
        import_module(name)
    rng = random.Random(int(sys.argv[1]))
    project, truth = loop_driver.make_project(rng)
    tasks.wake = lambda rows: None  # type: ignore[assignment]  # there is no broker
    loop_driver.label(project, User.objects.create_user("olga"), truth, pool_answers=12)
    killed = sum(kill_one(project, rng) for _ in range(KILLS))
    for _ in range(20):
        for model in ROWS:
            model.objects.update(woken_at=None)
        work_on_all(project)
    before = left()
    removed = {name: sweeper(0.0) for name, sweeper in sweep.SWEEPERS.items()}
    runs = project.runs.all()
    told = {
        "killed": killed,
        "before": len(before),
        "left": left(),
        "removed": removed,
        "versions": [run.versions.count() for run in runs],
        "succeeded": runs.filter(state="succeeded").count(),
        "live": [str(row) for model in ROWS for row in model.objects.filter(state__in=LIVE_STATES)],
        "lost": [name for name in owned() if not (Path(settings.HOME) / name).exists()],
        "published": project.versions.published().count(),
    }
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
