"""One run from top to bottom: it reads the labels, prepares, makes a version, judges and publishes it."""

from __future__ import annotations

import errno
from dataclasses import replace

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import ModelVersion, TrainingRun
from annotate.models.runs import RunKind
from annotate.models.versions import Stage
from annotate.services.corpus import snapshots
from annotate.services.corpus.snapshots import SnapshotSummary
from annotate.services.runs import encoders, scratch
from annotate.services.runs.cascade import CascadePlan
from annotate.services.runs.fit import FitPlan
from annotate.services.runs.plan import Made, Prepared, RunPlan
from annotate.services.runs.tagging import TaggingPlan
from annotate.services.versions import model_card, out_of_fold, publication
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded
from training.encoders.vectors import knows_labels
from training.registry import FAMILIES, entry
from training.types import TrainingError


def plan_of(run: TrainingRun) -> RunPlan:
    """Return the steps of a run by its kind, and by what its family learns."""
    if run.kind == RunKind.CASCADE:
        return CascadePlan()
    return TaggingPlan() if entry(FAMILIES, run.family).tags_words else FitPlan()


def execute(*, run_id: int) -> ModelVersion | None:
    """Claim a run if it is free, and work on it to its end; return the version that it published, if any."""
    try:
        return perform(TrainingRun, run_id, _work, refusals=(TrainingError, publication.NotPublished))
    finally:
        scratch.sweep()


def _work(run: TrainingRun) -> ModelVersion | None:
    """Do the work of a claimed run; whatever is raised ends it, and a `TrainingError` tells the lead why."""
    plan, meter = plan_of(run), ProgressMeter(run)
    meter("read", 0.0)
    # The successor of a killed attempt reads the labels that that one had read, so that it can go on from it.
    before = SnapshotSummary.load(run.snapshot)
    snapshot = snapshots.take(project=run.project, until=before.annotation if before.is_taken else None)
    run.snapshot = replace(snapshot.summary(), encoder=before.encoder).dump()
    TrainingRun.objects.filter(pk=run.pk).update(snapshot=run.snapshot)

    recorded = run.versions.filter(revises=None).first()
    try:
        if recorded is None:
            prepared = plan.prepare(run, snapshot, meter)
            made = plan.make(run, prepared, meter)
        else:  # an attempt was killed after it had stored its version: a run makes no second one
            prepared, made = plan.resume(run, recorded, snapshot, meter)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sentence = _(
            "The disk is full, so no model could be written to %(folder)s. Make room and train again."
        )
        raise TrainingError(sentence % {"folder": settings.BUNDLE_ROOT}) from error

    version = made.version
    if version.published_at is None:
        meter("judge", 1.0)
        verdict = plan.judge(made, prepared)
        version.verdict = verdict.reason
        version.is_refused, version.gain = verdict.is_refused, verdict.gain
        version.save(update_fields=["verdict", "is_refused", "gain"])
        model_card.keep(version)
        if verdict.publish:
            try:
                publication.publish(version=version, token=run.token)
            except publication.TakenOver as error:
                raise Superseded from error
    if _chooses(version):
        meter("choose", 1.0)
        plan.after(run, made, prepared)

    # The run is over for the pages and for the next run; nobody waits for what follows.
    lease.succeed(row=run)
    if version.stage == Stage.PUBLISHED:
        _keep_out_of_fold(made, prepared)
    publication.prune(project=run.project)
    encoders.sweep(project=run.project)
    return version if version.stage == Stage.PUBLISHED else None


def _keep_out_of_fold(made: Made, prepared: Prepared) -> None:
    """Store what the folds say of the labelled documents; an encoder that knows them leaves it to the site's.

    That says confidences, or nothing.
    """
    are_confidences = True if knows_labels(prepared.encoder) else None
    said, snapshot = made.out_of_fold, prepared.snapshot
    out_of_fold.store(version=made.version, snapshot=snapshot, said=said, are_confidences=are_confidences)


def _chooses(version: ModelVersion) -> bool:
    """Tell whether a version chooses what is labelled next: it has learned from what was labelled last.

    That is so whether or not it may serve: a model that could not be shown to be no worse, or that a lead has
    not published yet, asks better than chance, which would fill the queue in its place. A version of another
    kind than the one that serves leaves it to that kind's own.
    """
    serving = version.project.versions.published().first()
    return serving is None or version.follows(serving)
