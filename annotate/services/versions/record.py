"""What a run leaves in the database: the version with its figures, and each label's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from annotate.models import ClassMetric, ModelVersion, Project, TrainingRun
from annotate.services.corpus.snapshots import Snapshot
from training.bundles.bundle import read_manifest
from training.types import Evaluation


@transaction.atomic
def record(
    *,
    run: TrainingRun,
    bundle: str,
    snapshot: Snapshot,
    evaluation: Evaluation,
    labelled: int,
    report: Mapping[str, object],
) -> ModelVersion:
    """Store the next version of the run's project; `bundle` is relative to BUNDLE_ROOT."""
    project = Project.objects.select_for_update().get(pk=run.project_id)
    number = (project.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = ModelVersion.objects.create(
        project=project,
        run=run,
        number=number,
        family=run.family,
        variant=run.variant,
        encoder=_encoder(Path(settings.BUNDLE_ROOT) / bundle),
        bundle=bundle,
        label_ids=list(snapshot.label_ids),
        labelled=labelled,
        holdout_documents=evaluation.documents,
        macro_f1=evaluation.macro_f1,
        macro_f1_low=evaluation.macro_f1_low,
        macro_f1_high=evaluation.macro_f1_high,
        micro_f1=evaluation.micro_f1,
        report={
            "confusion": evaluation.confusion,
            "calibration_error": evaluation.calibration_error,
            **report,
        },
    )
    ClassMetric.objects.bulk_create(
        ClassMetric(
            version=version,
            label_id=int(row.key),
            **{name: value for name, value in asdict(row).items() if name != "key"},
        )
        for row in evaluation.per_class
    )
    return version


def _encoder(folder: Path) -> str:
    """Return the fingerprint of the encoder that a bundle reads, or the last of a cascade's parts that do."""
    manifest = read_manifest(folder)
    parts = [read_manifest(folder / part) for part in manifest.parts]
    return next((part.encoder for part in (manifest, *reversed(parts)) if part.encoder), "")
