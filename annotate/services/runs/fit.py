"""A run that trains one family on the labels of people, and on what a teacher says where it has one."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import ModelVersion, Project, TrainingRun
from annotate.services.corpus import neighbourhoods, vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.runs import crossfit, distil, encoders, next_batch, scratch
from annotate.services.runs.plan import Made, Prepared, bundle_of
from annotate.services.runs.schedule import RunReason
from annotate.services.versions import publication, record
from annotate.services.versions.loaded_bundles import suited
from annotate.services.versions.publication import Verdict
from annotate.services.versions.record import VersionReport
from annotate.services.versions.variants import RunConfig
from annotate.services.work.progress import ProgressMeter
from training.bundles.cascade import open_predictor
from training.encoders.vectors import knows_labels
from training.registry import FAMILIES, entry
from training.runs.pipeline import Said, said_by, train_and_package
from training.types import Objective, Pool, RunReport, RunSpec, TrainingError

# The share of a run's progress that belongs to its encoder or its teacher, where one has to work first.
BEFORE_THE_FIT = 0.7
# A slow family scores so many unlabelled documents, and the next batch is among them.
SLOW_POOL = 2_000


def spec_of(run: TrainingRun) -> RunSpec:
    """Return what a run trains; it starts from the latest bundle of the same variant, where there is one."""
    project = run.project
    served = project.versions.published().first()
    return RunSpec(
        family=run.family,
        params=RunConfig.load(run.config).parameters,
        objective=Objective(project.objective),
        objective_value=project.objective_value,
        # Programs rely on it: a newer model that answered everything again would break what they do.
        abstain_below=served.abstain_below if served is not None else 0.0,
        previous=_newest_bundle(project, run.family, run.variant),
        scratch=scratch.folder(run),
    )


def teacher_of(run: TrainingRun, snapshot: Snapshot[Any]) -> str:
    """Return the family that teaches the run, "" for none."""
    teacher = RunConfig.load(run.config).teacher
    if not teacher or snapshot.pool_texts or run.reason == RunReason.LEAD:
        return teacher
    # A pool that is used up does not end the runs that start by themselves.
    sentence = _(
        "No text of the pool is left that %(family)s could label: learned from people's labels alone."
    )
    TrainingRun.objects.filter(pk=run.pk).update(log=sentence % {"family": teacher})
    return ""


class FitPlan:
    """The run of a family of the registry."""

    def prepare(self, run: TrainingRun, snapshot: Snapshot[Any], meter: ProgressMeter) -> Prepared:
        """Give the documents their vectors, and the pool its teacher's answers or else its neighbours."""
        begun = time.perf_counter()
        family, config = entry(FAMILIES, run.family), RunConfig.load(run.config)
        if family.is_slow:
            snapshot = snapshot.only(np.arange(len(snapshot.pool_ids)) < SLOW_POOL)
        encoder = None
        if family.reads_vectors:
            share = BEFORE_THE_FIT if config.prepare else 0.0
            encoder = encoders.of_run(run=run, snapshot=snapshot, tell=meter.until(share))
            # Documents that have no vector yet come with a later run.
            snapshot = snapshot.only(encoder.known(snapshot.pool_texts))

        if teacher := teacher_of(run, snapshot):
            snapshot = distil.taught(
                project=run.project,
                snapshot=snapshot,
                family=teacher,
                tell=partial(meter.until(BEFORE_THE_FIT), "teach"),
            )
        elif encoder is not None:
            documents = np.concatenate([snapshot.document_ids, snapshot.pool_ids])
            near = neighbourhoods.among(project=run.project, encoder=encoder, documents=documents)
            dataset = replace(snapshot.dataset, pool=Pool(snapshot.pool_texts, near))
            snapshot = replace(snapshot, dataset=dataset)

        known = None
        if encoder is not None:
            tell = meter.until(BEFORE_THE_FIT + 0.2 if config.prepare else 0.0)
            spec = spec_of(run)
            known = crossfit.tuned_on(run=run, snapshot=snapshot, encoder=encoder, spec=spec, tell=tell)
        seconds = time.perf_counter() - begun if config.prepares else 0.0
        return Prepared(snapshot, encoder, seconds, tuned_on=known)

    def make(self, run: TrainingRun, prepared: Prepared, meter: ProgressMeter) -> Made:
        """Train the family, and keep the figures of what its bundle says."""
        snapshot = prepared.snapshot
        report = train_and_package(
            spec_of(run),
            snapshot.dataset,
            Path(settings.BUNDLE_ROOT) / bundle_of(run),
            tuning=snapshot.tuning,
            reporting=snapshot.reporting,
            embedder=prepared.encoder,
            tuned_on=prepared.tuned_on,
            encoder_root=settings.ENCODER_ROOT,
            on_progress=meter,
            replace_bundle=True,
        )
        version = record.record(
            run=run,
            bundle=bundle_of(run),
            snapshot=snapshot,
            evaluation=report.evaluation,
            labelled=report.labelled,
            report=VersionReport(
                parity=report.parity,
                thresholds=report.thresholds,
                fit_seconds=prepared.seconds + report.fit_seconds,
                bundle_bytes=report.bundle_bytes,
                details=report.details,
            ),
        )
        said: Said | RunReport | None = report
        if knows_labels(prepared.encoder):
            said = said_by_the_site_s(run, snapshot)
        if said is None:
            return Made(version, report.pool_scores, report.thresholds)
        return Made(version, said.pool_scores, said.thresholds, said.out_of_fold)

    def resume(
        self, run: TrainingRun, version: ModelVersion, snapshot: Snapshot[Any], meter: ProgressMeter
    ) -> tuple[Prepared, Made]:
        """Score the pool by the bundle, as the model that it was exported from is gone."""
        meter("evaluate", 0.8)
        if entry(FAMILIES, run.family).is_slow:
            snapshot = snapshot.only(np.arange(len(snapshot.pool_ids)) < SLOW_POOL)
        encoder = vector_store.embedder(version.encoder) if version.encoder else None
        if encoder is not None:
            snapshot = snapshot.only(encoder.known(snapshot.pool_texts))
        predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        scores = predictor.predict_proba(snapshot.pool_texts, embedder=suited(predictor, encoder))
        thresholds = tuple(np.asarray(predictor.thresholds).tolist())
        return Prepared(snapshot, encoder), Made(version, scores, thresholds)

    def judge(self, made: Made, prepared: Prepared) -> Verdict:
        """Compare the version with the best so far on the tuning half, as the other half reports."""
        return publication.judge(
            version=made.version,
            documents=prepared.snapshot.tuning,
            encoder=prepared.encoder,
            were_tuned_on=True,
            is_next=made.version.run is not None and made.version.run.reason == RunReason.TUNE,
        )

    def after(self, run: TrainingRun, made: Made, prepared: Prepared) -> None:
        """Fill the queue by the new model; where it cannot choose, it serves all the same."""
        snapshot = prepared.snapshot
        try:
            next_batch.choose(
                project=run.project,
                snapshot=snapshot,
                version=made.version,
                scores=made.pool_scores,
                vectors=next_batch.vectors_of(run.project, snapshot),
                thresholds=made.thresholds,
            )
        except TrainingError as error:
            sentence = _("The next batch could not be chosen, so documents come in random order: %(why)s")
            TrainingRun.objects.filter(pk=run.pk).update(log=sentence % {"why": error})


def said_by_the_site_s(run: TrainingRun, snapshot: Snapshot[Any]) -> Said | None:
    """Return what the family says by the site's own encoder, None where vectors are missing.

    A model whose encoder knows the labels is too sure to choose what is labelled next, and its folds tell
    nothing of the labelled documents.
    """
    site = vector_store.embedder()
    if not site.known(snapshot.dataset.texts + snapshot.pool_texts).all():
        return None
    documents = np.concatenate([snapshot.document_ids, snapshot.pool_ids])
    near = neighbourhoods.among(project=run.project, encoder=site, documents=documents)
    spec = replace(spec_of(run), previous=_newest_bundle(run.project, run.family, ""))
    return said_by(spec, replace(snapshot.dataset, pool=Pool(snapshot.pool_texts, near)), site)


def _newest_bundle(project: Project, family: str, variant: str) -> Path | None:
    """Return the folder of the newest bundle of a variant that is still there."""
    alike = project.versions.filter(family=family, variant=variant).exclude(bundle="")
    earlier = alike.only("bundle", "bundle_digest").order_by("-number")
    folders = (v.bundle_folder for v in earlier if v.bundle_folder.is_dir() and v.has_its_own_bundle())
    return next(folders, None)
