"""The line under the labelling page: what is left, decisions of today, the next model, workers in trouble."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.core.cache import cache
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from annotate.models import Assignment, ModelVersion, Project, TrainingRun, User, WorkerPulse
from annotate.models.queue import AssignmentState
from annotate.queues import QUEUES, TICK
from annotate.services.runs import schedule

# Counting a million documents takes too long for every decision, and imports are rarer than decisions.
COUNTED_SECONDS = 15
TICK_SILENT_AFTER = timedelta(minutes=3)


@dataclass(frozen=True)
class Left:
    """How many of a project's documents a person can still be asked about."""

    documents: int
    total: int


@dataclass(frozen=True)
class StatusLine:
    decisions_today: int
    left: Left
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
        left=left(project=project, annotator=annotator),
        until_next_model=schedule.labels_until_next(project=project),
        run=run,
        published=project.versions.published().defer("report").first(),
        silent_queues=silent_queues(),
        still_queues=still_queues(),
    )


def left(*, project: Project, annotator: User) -> Left:
    """Count documents with a place that `annotator` has or may get, and those that nobody has seen yet.

    What others have open now is not among them; it comes back where they do not decide.
    """
    total, untouched, newest = _counted(project)
    # NB: the queue may have been filled since the project was counted.
    placed = project.assignments.filter(pk__gt=newest).values("document").distinct().count()
    ran_out = Q(state=AssignmentState.LEASED, expires_at__lte=timezone.now())
    free = project.assignments.filter(Q(state=AssignmentState.WAITING) | ran_out)
    waiting = free.open_to(annotator).values("document").distinct().count()
    own = project.assignments.leased().filter(annotator=annotator).count()
    return Left(max(0, untouched - placed) + waiting + own, total)


def _counted(project: Project) -> tuple[int, int, int]:
    """Return how many documents there are, how many have neither place nor decision, and the newest place."""
    key = f"documents-left:{project.pk}"
    if (kept := cache.get(key)) is not None:
        return kept[0], kept[1], kept[2]
    newest = project.assignments.aggregate(newest=Max("pk"))["newest"] or 0
    placed = project.assignments.filter(pk__lte=newest).values("document").distinct().count()
    places = Assignment.objects.filter(document=OuterRef("document"))
    decided = project.annotations.filter(~Exists(places)).values("document").distinct().count()
    total = project.documents.count()
    cache.set(key, [total, total - placed - decided, newest], COUNTED_SECONDS)
    return total, total - placed - decided, newest


def decisions_today(*, project: Project, annotator: User) -> int:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return project.annotations.filter(annotator=annotator, updated_at__gte=midnight).count()


def silent_queues() -> list[str]:
    """Name the queues that no worker has served for half a minute, so that nobody waits in vain."""
    seen = set(WorkerPulse.objects.alive().values_list("queue", flat=True))
    return [name for name in QUEUES if name not in seen]


def beat_lives() -> bool:
    """Tell whether a tick was done within the last minutes; it waits behind other work of its queue."""
    pulse = WorkerPulse.objects.filter(queue=TICK).first()
    return pulse is not None and timezone.now() - pulse.seen_at < TICK_SILENT_AFTER


def still_queues() -> list[WorkerPulse]:
    """Return the queues whose workers live and have taken nothing up for long, though work waits."""
    return [pulse for pulse in WorkerPulse.objects.alive().order_by("queue") if pulse.stands_still]
