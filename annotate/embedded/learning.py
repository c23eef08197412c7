"""A command lets a project's models learn: by the site's workers where it is up, else by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from annotate import kinds, queues
from annotate.embedded import claims
from annotate.models import Project, WorkerPulse
from annotate.models.jobs import JobKind
from annotate.models.work import Work
from annotate.services.runs import schedule
from annotate.services.work import jobs

PATIENCE = 180.0  # seconds; the first wait holds the start of the workers and the encoder's export
LOOK_SECONDS = 0.2


class SiteLearning:
    """What a project's models do between two steps of answers.

    `wake` wakes workers for rows, and `write` hears in sentences what came of them.
    """

    def __init__(
        self,
        project: Project,
        home: Path,
        *,
        wake: Callable[[Iterable[Work]], None],
        write: Callable[[str], object],
    ) -> None:
        self._project = project
        self._home = home
        self._wake = wake
        self._write = write

    def begin(self) -> None:
        """Have vectors made, as the first batch is chosen by them."""
        if not self._is_site_up():
            self._write("The site is not running, so this command trains the models itself.")
        if not self._project.batches.exists():
            self._wake(jobs.ask(kind=JobKind.VECTORS, project=self._project))
            self._wait("The first batch", self._project.batches.exists)

    def after_step(self, given: int) -> None:
        """Train by what was answered, and tell what the published model is worth."""
        self._wake(schedule.open_if_due(project=self._project))
        self._wait("A model", lambda: not self._project.runs.live().quick().exists())
        version = self._project.versions.published().first()
        if version is None:
            self._write(f"{given} answers: no model is published yet.")
        else:
            worth = "not measurable yet" if version.f1 is None else f"{version.f1:.2f}"
            figure = self._project.task_type.figure
            self._write(f"{given} answers: version {version.number} is published, {figure} {worth}.")

    def end(self) -> None:
        """Predict by the last model, and measure the report card."""
        if not self._project.versions.exists():
            return
        self._wake(jobs.ask(kind=JobKind.REPORTCARD, project=self._project))
        last = (JobKind.RESCORE, JobKind.REPORTCARD)
        self._wait("The report card", lambda: not self._project.jobs.live().filter(kind__in=last).exists())

    def _wait(self, what: str, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_there():
            if time.monotonic() > deadline:
                self._write(
                    f"{what} takes longer than {PATIENCE:g} seconds, so this does not wait for it any more."
                )
                return
            if self._is_site_up():
                time.sleep(LOOK_SECONDS)
            else:
                self._work()

    def _work(self) -> None:
        """Do what a worker would: a project's quick runs first, then one turn of each of its jobs."""
        runs: Iterable[Work] = self._project.runs.live().quick().order_by("pk")
        for row in [*runs, *self._project.jobs.live().exclude(kind=JobKind.ASK_LLM).order_by("pk")]:
            self._wake(kinds.kind_of(row).work(row.pk))

    def _is_site_up(self) -> bool:
        workers = WorkerPulse.objects.alive().filter(queue=queues.TRAINING)
        return claims.is_held(self._home) or workers.exists()
