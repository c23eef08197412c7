"""When the site tunes a project's encoder by itself; `encoders` does it, in a run of the slow queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from django.conf import settings
from django.db.models import Count

from annotate.models import AnnotationLabel, Project, TrainingRun
from annotate.models.documents import Half, Lane
from annotate.models.work import LIVE_STATES, WorkState
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.runs import schedule
from annotate.services.runs.schedule import RunReason
from annotate.services.versions.variants import TUNED, RunConfig, Variant
from training.encoders.tuning_steps import can_be_tuned, is_installed, last_step
from training.figures.evidence import is_enough
from training.registry import FAMILIES
from training.types import DocumentTask


def due() -> Iterator[TrainingRun]:
    """Open a run for each project that has reached another number of labels to tune its encoder at."""
    if not settings.TUNE_ENCODERS or not is_installed():
        return
    for project in Project.objects.standing().filter(training_enabled=True, publish_automatically=True):
        variant = variant_of(project)
        if variant is not None and _is_due(project, variant.family):
            yield from schedule.open_run(project=project, variant=variant, reason=RunReason.TUNE, by=None)


def variant_of(project: Project) -> Variant | None:
    """Return the run that tunes the encoder that a family of the project reads, None where none is to.

    None is where people mark pieces of texts, and where a lead has chosen another encoder or a teacher.
    """
    if not isinstance(project.task_type.task, DocumentTask):
        return None
    for key in schedule.families(project):
        config = RunConfig.load(project.family_options.get(key, {}))
        if FAMILIES[key].takes_encoder and not config.teacher and config.encoder in ("", TUNED):
            return Variant(key, replace(config, encoder=TUNED, prepare=True))
    return None


def _is_due(project: Project, family: str) -> bool:
    """Tell whether a step was reached since the encoder was tuned last, and the labels are enough for it.

    After a run that failed none follows by itself: an encoder that cannot be tuned stays so, and the list of
    runs has said why.
    """
    step = last_step(_labelled(project))
    if not step or not project.versions.filter(family=family).exists():
        return False
    tuned = project.runs.filter(family=family, config__encoder=TUNED, config__prepare=True)
    if tuned.filter(state__in=LIVE_STATES).exists():
        return False
    newest = tuned.first()
    if newest is not None:
        if newest.reason == RunReason.TUNE and newest.state == WorkState.FAILED:
            return False
        summary = SnapshotSummary.load(newest.snapshot)
        if last_step(_labelled(project, until=summary.annotation)) >= step:
            return False
    return _can_be_compared(project) and can_be_tuned(_texts_of_labels(project))


def _can_be_compared(project: Project) -> bool:
    """Tell whether the tuning half has enough answers to measure a new model against the one that serves.

    With fewer it would not be published, and the work would be for nothing.
    """
    answered = project.annotations.answered().filter(document__lane=Lane.HOLDOUT, document__half=Half.TUNING)
    return is_enough(answered.values("document").distinct().count())


def _labelled(project: Project, *, until: int | None = None) -> int:
    """Return how many texts of the pool lane are answered, by annotations up to `until`."""
    answered = project.annotations.answered().filter(document__lane=Lane.POOL)
    if until is not None:
        answered = answered.filter(pk__lte=until)
    return answered.values("document").distinct().count()


def _texts_of_labels(project: Project) -> list[int]:
    """Return how many texts of the pool lane have each of the labels that are in use."""
    answered = project.annotations.answered().filter(document__lane=Lane.POOL)
    chosen = AnnotationLabel.objects.filter(annotation__in=answered, label__archived_at=None)
    counts = chosen.order_by().values("label").annotate(n=Count("annotation__document", distinct=True))
    return list(counts.values_list("n", flat=True))
