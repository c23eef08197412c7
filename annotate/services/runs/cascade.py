"""Two versions of a project as one: the cheap one answers what it is sure of, the strong one the rest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import ModelVersion, TrainingRun
from annotate.services.corpus import vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.versions import record
from annotate.services.versions.loaded_bundles import suited
from annotate.services.versions.record import VersionReport
from training.bundles.bundle import bundle_bytes
from training.bundles.cascade import open_predictor
from training.figures.evaluate import evaluate
from training.runs.cascade_tuning import Split, build_cascade
from training.types import Embedder, Evaluation, Objective, TrainingError


def build(*, run: TrainingRun, snapshot: Snapshot, bundle: str) -> ModelVersion:
    """Tune a cascade of the run's two versions, write it to `bundle`, and return its version.

    The split is found on the tuning half and measured on the reporting half.
    """
    cheap, strong = (_part(run, run.config[name]) for name in ("cheap", "strong"))
    reads = strong.encoder or cheap.encoder
    encoder = vector_store.embedder(reads) if vector_store.any_for(project=run.project) else None
    split = build_cascade(
        cheap.bundle_folder,
        strong.bundle_folder,
        snapshot.tuning,
        Path(settings.BUNDLE_ROOT) / bundle,
        embedder=encoder,
        encoder_root=settings.ENCODER_ROOT,
        objective=Objective(run.project.objective),
        objective_value=run.project.objective_value,
        replace_bundle=True,
    )
    return record.record(
        run=run,
        bundle=bundle,
        snapshot=snapshot,
        evaluation=_measured(Path(settings.BUNDLE_ROOT) / bundle, snapshot, encoder),
        labelled=strong.labelled,
        report=_report(cheap, strong, split, Path(settings.BUNDLE_ROOT) / bundle),
    )


def _part(run: TrainingRun, number: int) -> ModelVersion:
    version = run.project.versions.filter(number=number).exclude(bundle="").first()
    if version is None:
        raise TrainingError(
            _("The bundle of version %(n)s is no longer kept; train its family again.") % {"n": number}
        )
    return version


def _measured(folder: Path, snapshot: Snapshot, encoder: Embedder | None) -> Evaluation:
    predictor, reporting = open_predictor(folder, encoder_root=settings.ENCODER_ROOT), snapshot.reporting
    scores = predictor.predict_proba(reporting.texts, embedder=suited(predictor, encoder))
    rng = np.random.default_rng(0)
    return evaluate(reporting.schema, reporting.targets, scores, predictor.thresholds, rng)


def _report(cheap: ModelVersion, strong: ModelVersion, split: Split, folder: Path) -> VersionReport:
    details = asdict(split) | {"cheap": cheap.number, "strong": strong.number}
    parts = [VersionReport.load(part.report) for part in (cheap, strong)]
    for part in parts:
        if part.checkpoint:
            details["checkpoint"] = part.checkpoint  # the report card reads the languages off the name
    return VersionReport(
        fit_seconds=sum(part.fit_seconds for part in parts),
        bundle_bytes=bundle_bytes(folder),
        details=details,
    )
