"""Where a long run keeps what a killed one goes on from: one folder per run, for as long as it is alive."""

from __future__ import annotations

import shutil
from pathlib import Path

from django.conf import settings

from annotate.models import TrainingRun


def folder(run: TrainingRun) -> Path:
    """Return the folder of a run; families that need none never make it."""
    return Path(settings.SCRATCH_ROOT) / f"run-{run.pk}"


def sweep() -> int:
    """Remove the folders of runs that are over, however they ended; return how many went."""
    # NB: what is there comes first: the folder of a run that begins in between is not looked at.
    found = list(Path(settings.SCRATCH_ROOT).glob("run-*"))
    live = {folder(run) for run in TrainingRun.objects.live().only("pk")}
    over = [path for path in found if path not in live]
    for path in over:
        shutil.rmtree(path, ignore_errors=True)
    return len(over)
