"""When a run is due, and the row that is opened for it; `services.work` does the rest."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, models, transaction
from django.db.models import Max, Q, Subquery
from django.utils import timezone

from annotate.models import Annotation, Project, TrainingRun, User
from annotate.models.documents import Lane
from annotate.models.events import EventKind
from annotate.models.work import LIVE_STATES
from annotate.services import events
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.versions.variants import RunConfig, Variant
from training import tasks
from training.registry import FAMILIES, families_in_order


class RunReason:
    LABELS = "labels"
    IDLE = "idle"
    LEAD = "lead"
    NAMES = "names"
    TUNE = "tune"


# Of the labels that a model has learned, so many new ones make another while people pause: 1 up to 74
# labels, 10 of 500. Fewer would change next to nothing, and each pause would leave a version.
IDLE_SHARE = 0.02


def able_families(task: str) -> list[str]:
    """Return the families that can learn the task, in the order of their runs."""
    return [family.key for family in families_in_order(tasks.find(task))]


CHOSEN_BY = ("strategy", "batch_size", "novel_share", "random_share", "holdout_queue_share")
"""Settings of the next choice."""
TUNED_BY = ("objective", "objective_value")  # settings that thresholds are tuned by


def families(project: Project) -> list[str]:
    """Return the families that train by themselves; a key that the registry no longer has is left out.

    Where those that a project has learn other tasks alone, it is the task's automatic ones.
    """
    able, kept = able_families(project.task), [key for key in project.families if key in FAMILIES]
    if kept and not {*kept} & {*able}:
        return [key for key in able if FAMILIES[key].is_automatic]
    return [key for key in able if key in kept]


def open_if_due(
    *,
    project: Project,
    reason: str = RunReason.LABELS,
    by: User | None = None,
    family: str = "",
    config: RunConfig | None = None,
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
    wanted = _variants(project, able) if config is None else [Variant(family, config)]
    latest = _latest(project, wanted)
    opened = []
    due: dict[int, bool] = {}  # families that know of the same labels are due together: count only once
    for variant in wanted:
        run = latest.get(variant.family)
        if run is not None and run.state in LIVE_STATES:
            continue
        seen = _seen(run)
        if seen not in due:
            due[seen] = _is_due(project, reason, seen, _learned(run))
        if due[seen]:
            opened += open_run(project=project, variant=variant, reason=reason, by=by)
    return opened


def open_at_once(*, project: Project, by: User | None = None) -> list[TrainingRun]:
    """Open the automatic runs now, so that a changed aim reaches the thresholds, or merged labels the models.

    None without a label.
    """
    if not project.training_enabled or not project.annotations.answered().exists():
        return []
    return open_if_due(project=project, reason=RunReason.LEAD, by=by)


def labels_until_next(*, project: Project) -> int | None:
    """Return how many more labels open the next run, 0 where one is due now.

    None where no number of labels does: nothing trains by itself, or all that does is training already.
    """
    if not project.training_enabled:
        return None
    able = families(project)
    latest = _latest(project, _variants(project, able))
    waiting = [key for key in able if key not in latest or latest[key].state not in LIVE_STATES]
    # The family that learned longest ago is the first to be due.
    return _labels_missing(project, min(_seen(latest.get(key)) for key in waiting)) if waiting else None


def _labels_missing(project: Project, seen: int) -> int:
    """Return how many labels are missing until a family that knew of the annotation `seen` learns again."""
    # The slice lets the count end at what is asked for, however many labels a project has.
    return project.retrain_after - _new_labels(project, seen)[: project.retrain_after].count()


def automatic(project: Project) -> list[tuple[str, str]]:
    """Return the (family, variant) of the runs that start by themselves."""
    return [(variant.family, variant.name) for variant in _variants(project, families(project))]


def _variants(project: Project, keys: list[str]) -> list[Variant]:
    """Return how each family trains by itself: as it was last published."""
    return [Variant(key, RunConfig.load(project.family_options.get(key, {}))) for key in keys]


def _latest(project: Project, wanted: list[Variant]) -> dict[str, TrainingRun]:
    """Return the newest run of each variant, by its family."""
    runs = [project.runs.filter(**variant.columns).order_by("-pk").values("pk")[:1] for variant in wanted]
    latest = [Subquery(newest) for newest in runs]
    return {
        run.family: run
        for run in project.runs.only("project", "family", "state", "snapshot").filter(Q(pk__in=latest))
    }


def _seen(run: TrainingRun | None) -> int:
    """Return the newest annotation that the run knew, 0 for none."""
    return SnapshotSummary.load(run.snapshot).annotation if run else 0


def _learned(run: TrainingRun | None) -> int:
    """Return how many labelled documents the run learned from, 0 where it has not read them yet."""
    return (SnapshotSummary.load(run.snapshot).labelled or 0) if run else 0


def _is_due(project: Project, reason: str, seen: int, learned: int) -> bool:
    if reason in (RunReason.LEAD, RunReason.NAMES):
        return True
    if _labels_missing(project, seen) == 0:
        return True
    if reason != RunReason.IDLE:
        return False
    since = timezone.now() - timedelta(seconds=project.retrain_idle_seconds)
    newest = _new_labels(project, seen).order_by("-pk").values_list("created_at", flat=True)
    enough = max(1, round(IDLE_SHARE * learned))
    times = list(newest[:enough])
    return len(times) == enough and times[0] < since


def _new_labels(project: Project, seen: int) -> models.QuerySet[Annotation]:
    """Return answers that a model can learn from; those of the holdout lane only measure."""
    return Annotation.objects.filter(project=project, pk__gt=seen, document__lane=Lane.POOL).answered()


def open_run(*, project: Project, variant: Variant, reason: str, by: User | None) -> list[TrainingRun]:
    """Open a run of one variant; none where one is live already."""
    newest = project.annotations.answered().aggregate(newest=Max("pk"))["newest"] or 0
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                project=project,
                reason=reason,
                requested_by=by,
                config=variant.config.dump(),
                **variant.columns,
                snapshot=SnapshotSummary(annotation=newest).dump(),
                woken_at=timezone.now(),
            )
            if by is not None:  # what starts by itself stands in the list of runs
                name = variant.name
                events.record(
                    EventKind.RUN_STARTED, by=by, project=project, subject=variant.family, variant=name
                )
    except IntegrityError:  # another process has just opened a run of this variant
        return []
    return [run]
