"""The line on progress under the labelling page: today's decisions, the next model, workers in trouble."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from annotate.models import ModelVersion, Project, TrainingRun, User, WorkerPulse
from annotate.queues import QUEUES
from annotate.services.runs import schedule


@dataclass(frozen=True)
class StatusLine:
    decisions_today: int
    until_next_model: int | None
    run: TrainingRun | None
    published: ModelVersion | None
    silent_queues: list[str]
    still_queues: list[WorkerPulse]

    @property
    def run_percent(self) -> int:
        return round(100 * self.run.progress) if self.run else 0


def of(*, project: Project, annotator: User) -> StatusLine:
    run = project.runs.live().quick().order_by("pk").first()
    return StatusLine(
        decisions_today=decisions_today(project=project, annotator=annotator),
        until_next_model=schedule.labels_until_next(project=project),
        run=run,
        published=project.versions.published().defer("report").first(),
        silent_queues=silent_queues(),
        still_queues=still_queues(),
    )


def decisions_today(*, project: Project, annotator: User) -> int:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return project.annotations.filter(annotator=annotator, updated_at__gte=midnight).count()


def silent_queues() -> list[str]:
    """Name the queues that no worker has served for half a minute, so that nobody waits in vain."""
    seen = set(WorkerPulse.objects.alive().values_list("queue", flat=True))
    return [name for name in QUEUES if name not in seen]


def still_queues() -> list[WorkerPulse]:
    """Return the queues whose workers live and have taken nothing up for long, though work waits."""
    return [pulse for pulse in WorkerPulse.objects.alive().order_by("queue") if pulse.stands_still]
