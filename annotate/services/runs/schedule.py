"""A run's row is the job: when one is opened, who may work on it, and how a lost one comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import F, Max, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Annotation, Project, TrainingRun, User
from annotate.models.documents import Lane
from annotate.models.runs import LIVE_STATES, RunState
from annotate.services.versions import variants
from annotate.services.versions.variants import Config
from training import tasks
from training.registry import FAMILIES, families_in_order

CASCADE = "cascade"
ATTEMPTS = 3
WAKE_SECONDS = 5


class RunReason:
    LABELS = "labels"
    IDLE = "idle"
    LEAD = "lead"
    NAMES = "names"


def able_families(task: str) -> list[str]:
    """Return the families that can learn the task, in the order of their runs."""
    return [family.key for family in families_in_order() if family.suits(tasks.find(task))]


def families(project: Project) -> list[str]:
    """Return the families that train by themselves; a key that the registry no longer has is left out."""
    return [key for key in able_families(project.task) if key in project.families]


def open_if_due(
    *,
    project: Project,
    reason: str = RunReason.LABELS,
    by: User | None = None,
    family: str = "",
    config: Config | None = None,
) -> list[TrainingRun]:
    """Open a run of each automatic family that is due and has none live, or of the one `family` named.

    Automatic families train as they were last published, a named one by `config`. The caller wakes a worker
    for each.
    """
    if reason != RunReason.LEAD and not project.training_enabled:
        return []
    able = [family] if family else families(project)
    if reason == RunReason.NAMES:
        able = [key for key in able if FAMILIES[key].starts_from_names]
    lines = _lines(project, able) if config is None else [Line(family, config)]
    latest = _latest(project, lines)
    newest: int | None = None
    opened = []
    due: dict[int, bool] = {}  # families that have seen the same labels are due together
    for line in lines:
        run = latest.get(line.family)
        if run is not None and run.state in LIVE_STATES:
            continue
        seen = _seen(run)
        if seen not in due:
            due[seen] = _is_due(project, reason, seen)
        if not due[seen]:
            continue
        if newest is None:
            newest = project.annotations.answered().aggregate(newest=Max("pk"))["newest"] or 0
        opened += _open(project, line, reason, newest, by)
    return opened


def labels_until_next(*, project: Project) -> int | None:
    """Return how many more labels open the next run, 0 where one is due now.

    None where no number of labels does: nothing trains by itself, or all that does is training already.
    """
    if not project.training_enabled:
        return None
    able = families(project)
    latest = _latest(project, _lines(project, able))
    waiting = [key for key in able if key not in latest or latest[key].state not in LIVE_STATES]
    # The family that learned longest ago is the first to be due.
    return _labels_missing(project, min(_seen(latest.get(key)) for key in waiting)) if waiting else None


def _labels_missing(project: Project, seen: int) -> int:
    """Return how many labels are missing until a family that knew of the annotation `seen` learns again."""
    # The slice ends the count where it is decided, however many labels a project has.
    return project.retrain_after - _new_labels(project, seen)[: project.retrain_after].count()


@dataclass(frozen=True)
class Line:
    """Runs that follow each other: of one family, with one config."""

    family: str
    config: Config

    @property
    def fields(self) -> dict[str, Any]:
        """What runs of the line have in common."""
        return {
            "family": self.family,
            "variant": variants.name(self.family, self.config),
            "is_slow": variants.is_slow(self.family, self.config),
        }


def automatic(project: Project) -> list[tuple[str, str]]:
    """Return the (family, variant) of the runs that start by themselves."""
    return [(line.family, line.fields["variant"]) for line in _lines(project, families(project))]


def _lines(project: Project, keys: list[str]) -> list[Line]:
    return [Line(key, project.family_options.get(key, {})) for key in keys]


def _latest(project: Project, lines: list[Line]) -> dict[str, TrainingRun]:
    latest = [Subquery(project.runs.filter(**line.fields).order_by("-pk").values("pk")[:1]) for line in lines]
    return {
        run.family: run for run in project.runs.only("family", "state", "snapshot").filter(Q(pk__in=latest))
    }


def _seen(run: TrainingRun | None) -> int:
    """Return the newest annotation that the run knew, 0 for none."""
    return int(run.snapshot.get("annotation", 0)) if run else 0


def _is_due(project: Project, reason: str, seen: int) -> bool:
    if reason in (RunReason.LEAD, RunReason.NAMES):
        return True
    if _labels_missing(project, seen) == 0:
        return True
    if reason != RunReason.IDLE:
        return False
    since = timezone.now() - timedelta(seconds=project.retrain_idle_seconds)
    last = _new_labels(project, seen).order_by("-pk").values_list("created_at", flat=True).first()
    return last is not None and last < since


def _new_labels(project: Project, seen: int) -> models.QuerySet[Annotation]:
    """Return answers that a model can learn from; those of the holdout lane only measure."""
    return Annotation.objects.filter(project=project, pk__gt=seen, document__lane=Lane.POOL).answered()


@transaction.atomic
def open_cascade(*, project: Project, cheap: int, strong: int, by: User) -> list[TrainingRun]:
    """Open the run that combines two versions, by number; none where such a run is live already."""
    newest = project.annotations.answered().aggregate(newest=Max("pk"))["newest"] or 0
    return _open(project, Line(CASCADE, {"cheap": cheap, "strong": strong}), RunReason.LEAD, newest, by)


def _open(project: Project, line: Line, reason: str, newest: int, by: User | None) -> list[TrainingRun]:
    try:
        with transaction.atomic():
            return [
                TrainingRun.objects.create(
                    project=project,
                    reason=reason,
                    requested_by=by,
                    config=dict(line.config),
                    **line.fields,
                    snapshot={"annotation": newest},
                    woken_at=timezone.now(),
                )
            ]
    except IntegrityError:  # somebody else has just opened it
        return []


@transaction.atomic
def cancel(*, run: TrainingRun) -> bool:
    """End a live run; a worker that is at it stops at its next step, and cannot publish."""
    live = TrainingRun.objects.live().filter(pk=run.pk)
    return bool(live.update(state=RunState.CANCELLED, finished_at=timezone.now(), stage=""))


def claim(*, run_id: int) -> TrainingRun | None:
    """Take a run for this worker, or return None where it is taken, over, or has been tried enough."""
    now = timezone.now()
    free = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, lease_expires_at__lt=now)
    taken = TrainingRun.objects.filter(free, pk=run_id, attempt__lt=ATTEMPTS).update(
        state=RunState.RUNNING,
        attempt=F("attempt") + 1,
        token=F("token") + 1,
        lease_expires_at=now + timedelta(seconds=settings.RUN_LEASE_SECONDS),
        heartbeat_at=now,
        started_at=now,
        progress=0.0,
        stage="",
    )
    return TrainingRun.objects.select_related("project").get(pk=run_id) if taken else None


def beat(*, run: TrainingRun, stage: str | None = None, progress: float | None = None) -> bool:
    """Extend the lease and note the progress; False where the run is no longer this worker's."""
    now = timezone.now()
    values = {"heartbeat_at": now, "lease_expires_at": now + timedelta(seconds=settings.RUN_LEASE_SECONDS)}
    noted = {"stage": stage, "progress": progress}
    values |= {name: value for name, value in noted.items() if value is not None}  # type: ignore[misc]
    return bool(_held(run).update(**values))


def finish(*, run: TrainingRun, state: str, error: str = "") -> bool:
    """End the run of this worker."""
    progress = {"progress": 1.0} if state == RunState.SUCCEEDED else {}
    return bool(_held(run).update(state=state, error=error, stage="", finished_at=timezone.now(), **progress))


def abandon(*, run: TrainingRun) -> None:
    """Give up the lease at once, so that the next tick tries again without waiting for it to run out."""
    _held(run).update(lease_expires_at=timezone.now())


def recover() -> list[TrainingRun]:
    """Fail what was tried enough, and return the runs that need a worker woken (again)."""
    now = timezone.now()
    lost = TrainingRun.objects.filter(state=RunState.RUNNING, lease_expires_at__lt=now)
    lost.filter(attempt__gte=ATTEMPTS).update(
        state=RunState.FAILED,
        finished_at=now,
        error=_("The worker stopped three times in the middle of this run; its log says why."),
    )
    waiting = TrainingRun.objects.filter(state=RunState.QUEUED) | lost.filter(attempt__lt=ATTEMPTS)
    stale = now - timedelta(seconds=WAKE_SECONDS)
    wanted = list(waiting.filter(Q(woken_at=None) | Q(woken_at__lt=stale)))
    TrainingRun.objects.filter(pk__in=[run.pk for run in wanted]).update(woken_at=now)
    return wanted


def _held(run: TrainingRun) -> models.QuerySet[TrainingRun]:
    return TrainingRun.objects.filter(pk=run.pk, token=run.token, state=RunState.RUNNING)
