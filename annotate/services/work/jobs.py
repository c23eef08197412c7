"""Jobs: whoever changes what one reads asks for it; it is done in turns, and rests after a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotate.models import Job, ModelVersion, Project
from annotate.models.jobs import JobKind
from annotate.models.work import Work, WorkQuerySet, WorkState
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded
from training.types import TrainingError

# After a job that failed or was cancelled the tick asks for none like it; people and other work still may.
REST_SECONDS = 600
KEPT = 20  # jobs of a kind whose end a project remembers


@dataclass(frozen=True, slots=True)
class Turn:
    """What came of one turn of a job: whether all is done, and the rows that it opened for others."""

    is_last: bool = True
    opened: Sequence[Work] = ()


TurnWork = Callable[[Job, ProgressMeter], Turn]


def ask(
    *, kind: JobKind, project: Project, version: ModelVersion | None = None, anew: bool = False
) -> list[Job]:
    """Open a job, or have the live one of its subject done once more; the caller wakes a worker for it."""
    for _attempt in range(3):  # the live one may end between the two statements
        try:
            with transaction.atomic():
                job = Job.objects.create(
                    kind=kind, project=project, version=version, is_anew=anew, woken_at=timezone.now()
                )
        except IntegrityError:
            live = _of_subject(kind, project, version).live()
            if live.update(is_asked_again=True, **({"is_anew": True} if anew else {})):
                return []
        else:
            # What ended long ago is deleted: a project gets a job with every model, which makes thousands.
            ended = Job.objects.filter(kind=kind, project=project).exclude(pk=job.pk)
            old = list(ended.order_by("-pk").values_list("pk", flat=True)[KEPT:])
            Job.objects.filter(pk__in=old).exclude(state__in=[WorkState.QUEUED, WorkState.RUNNING]).delete()
            return [job]
    return []  # others open and end it as fast as we look: what was asked for is done


def ask_if_rested(*, kind: JobKind, project: Project, version: ModelVersion | None = None) -> list[Job]:
    """Open a job that nobody asked for, unless one like it is live or has failed or been cancelled lately."""
    alike = _of_subject(kind, project, version)
    now = timezone.now()
    lately = (now - timedelta(seconds=REST_SECONDS), now)  # not what a clock that went back dated ahead
    unwanted = alike.filter(state__in=[WorkState.FAILED, WorkState.CANCELLED], finished_at__range=lately)
    if alike.live().exists() or unwanted.exists():
        return []
    return ask(kind=kind, project=project, version=version)


def is_live(*, kind: JobKind, project: Project) -> bool:
    return project.jobs.live().filter(kind=kind).exists()


def failed(*, project: Project) -> list[Job]:
    """Return the jobs whose kind has failed last, so that a lead sees what does not work."""
    latest: dict[str, Job] = {}
    for job in project.jobs.exclude(state__in=[WorkState.QUEUED, WorkState.RUNNING]).order_by("-pk"):
        latest.setdefault(job.kind, job)
    return [job for job in latest.values() if job.state == WorkState.FAILED]


def do(job_id: int, work: TurnWork) -> Sequence[Work]:
    """Do one turn of a job if it is free; return the rows to wake a worker for, itself if it is not done.

    `work` tells the meter at each step, which ends it where the job was cancelled or is another worker's.
    """
    return perform(Job, job_id, partial(_take_turn, work), refusals=(TrainingError,)) or ()


def _take_turn(work: TurnWork, job: Job) -> Sequence[Work]:
    if not lease.beat(row=job, is_asked_again=False):  # this turn does all that was asked for until now
        raise Superseded
    turn = work(job, ProgressMeter(job))
    if turn.is_last and lease.succeed(row=job, is_asked_again=False):
        return turn.opened
    return [*turn.opened, job] if lease.give_way(row=job) else turn.opened


def _of_subject(kind: JobKind, project: Project, version: ModelVersion | None) -> WorkQuerySet[Job]:
    return Job.objects.filter(kind=kind, project=project, version=version)
