"""Opens a job of each kind, kills what works on it in its middle, and tells as JSON what became of them."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from tests.loop import loop_driver
from tests.loop.loop_driver import tasks, wait_for

from annotate.models import Job, ModelVersion  # isort: skip
from annotate.models.jobs import JobKind  # isort: skip
from annotate.services.work import jobs  # isort: skip


def pid_of(job: Job) -> int:
    path = Path(settings.HOME) / f"job-{job.pk}"
    wait_for(f"the middle of {job}", lambda: path.exists() and bool(path.read_text()))
    return int(path.read_text())


def main() -> None:
    call_command("migrate", verbosity=0)
    project, _truth = loop_driver.make_project(random.Random(0))
    version = ModelVersion.objects.create(
        project=project, number=1, family="tfidf", stage="published", labelled=2, holdout_documents=0
    )
    told = {}
    for kind in JobKind:
        of = version if kind in (JobKind.RESCORE, JobKind.SHADOW) else None
        tasks.wake(jobs.ask(kind=kind, project=project, version=of))
        job = Job.objects.get(kind=kind)  # this one, or the one that the tick has opened a moment before
        with suppress(ProcessLookupError):
            os.kill(pid_of(job), signal.SIGKILL)
        killed = time.monotonic()
        done = Job.objects.filter(pk=job.pk, state="succeeded")
        wait_for(f"the end of {job}", done.exists)
        job.refresh_from_db()
        told[kind.value] = {"attempt": job.attempt, "seconds": time.monotonic() - killed}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
