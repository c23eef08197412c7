"""One run from its row to the next batch: snapshot, train, judge, publish, choose."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import ModelVersion, Project, TrainingRun
from annotate.services.corpus import neighbourhoods, snapshots, vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.runs import cascade, distil, encoders, schedule, scratch
from annotate.services.versions import publication, record, rescore, variants
from annotate.services.versions.record import VersionReport
from annotate.services.work import lease
from annotate.services.work.perform import perform
from annotate.services.work.progress import ProgressMeter, Superseded
from training.registry import FAMILIES, entry, slow_families
from training.runs.pipeline import train_and_package
from training.types import FloatArray, Objective, Pool, RunReport, RunSpec, TrainingError

BEFORE_THE_FIT = 0.7  # share of a run whose encoder or whose teacher has to do its work first
SLOW_POOL = 2_000  # unlabelled documents that a slow family scores: the next batch is among them


def execute(*, run_id: int) -> ModelVersion | None:
    """Work on a run if it is free; return the version that it published, if it did."""
    try:
        return perform(TrainingRun, run_id, _work_on_a_disk, refusals=(TrainingError,))
    finally:
        scratch.sweep()


def _work_on_a_disk(run: TrainingRun) -> ModelVersion | None:
    """Do the run's work; a full disk is no error to try again, but for the lead to make room."""
    try:
        return _work(run)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TrainingError(
            _("The disk is full, so no model could be written to %(folder)s. Make room and train again.")
            % {"folder": settings.BUNDLE_ROOT}
        ) from error


def _work(run: TrainingRun) -> ModelVersion | None:
    meter = ProgressMeter(run)
    meter("read", 0.0)
    snapshot, report = _snapshot(run), None
    run.snapshot = run.snapshot | snapshot.summary()
    TrainingRun.objects.filter(pk=run.pk).update(snapshot=run.snapshot)
    begun = time.perf_counter()
    encoder = _encoder(run, snapshot, meter)
    if run.family == schedule.CASCADE:
        meter("tune", 0.1)
        version = cascade.build(run=run, snapshot=snapshot, bundle=_folder(run))
    else:
        snapshot = _with_pool(run, snapshot, encoder, meter)
        prepared = time.perf_counter() - begun if variants.prepares(run.config) else 0.0
        report = _train(run, snapshot, encoder, meter)
        report = replace(report, fit_seconds=prepared + report.fit_seconds)
        version = _record(run, snapshot, report)
    verdict = publication.judge(version=version, reporting=snapshot.reporting, embedder=encoder)
    version.verdict = verdict.reason
    version.save(update_fields=["verdict"])
    if verdict.publish:
        _publish(run, version)
        if report is not None:  # a cascade leaves the queue as it is
            _choose(run, snapshot, version, report)
    lease.succeed(row=run)
    publication.prune(project=run.project)
    encoders.sweep(project=run.project)
    return version if verdict.publish else None


def _encoder(run: TrainingRun, snapshot: Snapshot, meter: ProgressMeter) -> SiteEmbedder | None:
    if run.family == schedule.CASCADE or not entry(FAMILIES, run.family).reads_vectors:
        return None
    until = BEFORE_THE_FIT if run.config.get(variants.PREPARE) else 0.0
    return encoders.of_run(run=run, snapshot=snapshot, tell=meter.until(until))


def _train(
    run: TrainingRun, snapshot: Snapshot, encoder: SiteEmbedder | None, meter: ProgressMeter
) -> RunReport:
    return train_and_package(
        _spec(run),
        snapshot.dataset,
        Path(settings.BUNDLE_ROOT) / _folder(run),
        tuning=snapshot.tuning,
        reporting=snapshot.reporting,
        embedder=encoder,
        encoder_root=settings.ENCODER_ROOT,
        on_progress=meter,
        replace_bundle=True,
    )


def _record(run: TrainingRun, snapshot: Snapshot, report: RunReport) -> ModelVersion:
    return record.record(
        run=run,
        bundle=_folder(run),
        snapshot=snapshot,
        evaluation=report.evaluation,
        labelled=report.labelled,
        report=VersionReport(
            parity=report.parity,
            thresholds=report.thresholds,
            fit_seconds=report.fit_seconds,
            bundle_bytes=report.bundle_bytes,
            details=report.details,
        ),
    )


def _snapshot(run: TrainingRun) -> Snapshot:
    """Read the labels: those that a killed attempt had read, so that its successor can go on from it."""
    read_before = "labelled" in run.snapshot
    snapshot = snapshots.take(project=run.project, until=run.snapshot["annotation"] if read_before else None)
    if run.family in slow_families():
        return snapshot.only(np.arange(len(snapshot.pool_ids)) < SLOW_POOL)
    return snapshot


def _with_pool(
    run: TrainingRun, snapshot: Snapshot, encoder: SiteEmbedder | None, meter: ProgressMeter
) -> Snapshot:
    """Leave the documents with a vector, with what a teacher says of them, else with their neighbours.

    Those without a vector come with a later run. A pool that is used up does not end the runs that start by
    themselves.
    """
    if encoder is not None:
        snapshot = snapshot.only(encoder.known(snapshot.pool_texts))
    teacher = run.config.get(variants.TEACHER)
    if teacher and not snapshot.pool_texts and run.reason != schedule.RunReason.LEAD:
        distil.untaught(run)
    elif teacher:
        return distil.taught(
            project=run.project,
            snapshot=snapshot,
            family=teacher,
            tell=partial(meter.until(BEFORE_THE_FIT), "teach"),
        )
    return snapshot if encoder is None else _with_neighbours(run.project, snapshot, encoder)


def _with_neighbours(project: Project, snapshot: Snapshot, encoder: SiteEmbedder) -> Snapshot:
    documents = np.concatenate([snapshot.document_ids, snapshot.pool_ids])
    found = neighbourhoods.among(project=project, encoder=encoder, documents=documents)
    dataset = replace(snapshot.dataset, pool=Pool(snapshot.pool_texts, found))
    return replace(snapshot, dataset=dataset)


def _publish(run: TrainingRun, version: ModelVersion) -> None:
    try:
        publication.publish(version=version, token=run.token)
    except publication.NotPublished as error:
        raise Superseded from error


def _spec(run: TrainingRun) -> RunSpec:
    project = run.project
    return RunSpec(
        family=run.family,
        params=variants.parameters(run.config),
        objective=Objective(project.objective),
        objective_value=project.objective_value,
        previous=_previous(run),
        scratch=scratch.folder(run),
    )


def _previous(run: TrainingRun) -> Path | None:
    """Return the latest bundle of the run's family and variant: the next one starts from it."""
    alike = run.project.versions.filter(family=run.family, variant=run.variant)
    bundles = alike.order_by("-number").values_list("bundle", flat=True)
    folders = (Path(settings.BUNDLE_ROOT) / bundle for bundle in bundles[: publication.KEPT_BUNDLES])
    return next((folder for folder in folders if folder.is_dir()), None)


def _folder(run: TrainingRun) -> str:
    return f"{run.project_id}/run-{run.pk}-{run.token}"


def _choose(run: TrainingRun, snapshot: Snapshot, version: ModelVersion, report: RunReport) -> None:
    """Fill the queue by the new model; where it cannot choose, the version serves and the log says why."""
    try:
        rescore.choose(
            project=run.project,
            snapshot=snapshot,
            version=version,
            scores=report.pool_scores,
            vectors=_vectors(run.project, snapshot),
            thresholds=report.thresholds,
        )
    except TrainingError as error:
        sentence = _("The next batch could not be chosen, so documents come in random order: %(why)s")
        TrainingRun.objects.filter(pk=run.pk).update(log=sentence % {"why": error})


def _vectors(project: Project, snapshot: Snapshot) -> FloatArray | None:
    """Return the pool's vectors (documents, dimension) where all of them are there."""
    texts = snapshot.pool_texts
    if not vector_store.any_for(project=project):
        return None
    encoder = vector_store.embedder()
    return encoder.embed(texts) if encoder.known(texts).all() else None
