"""What a run leaves in the database: the version with its figures, and each label's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from django.db import transaction
from django.db.models import Max

from annotate.models import ClassMetric, ModelVersion, Project, TrainingRun
from annotate.services.snapshots import Snapshot
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
