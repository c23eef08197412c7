"""What a run leaves in the database: the version with its figures, and each label's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from annotate.models import ClassMetric, ModelVersion, Project, TrainingRun
from annotate.services.corpus.snapshots import Snapshot
from training.bundles.bundle import identity, read_manifest
from training.export.spans import SpanParity
from training.reportcard.card import Speed
from training.tagging.figures import EntityFigures
from training.types import Evaluation, Int8Twin, Parity

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VersionReport:
    """What is known of a version beside the figures that have a column; `ModelVersion.report` stores it.

    `confusion[i][j]` counts the reporting documents of label i that were decided as label j. A cascade has no
    parity and no thresholds here. `details` are the family's own words about its fit; `speed` is measured
    with the first report card. `entities`, `span_parity` and `mistakes` are of models that find spans,
    whose thresholds are biases in the decoder: the last are the most frequent ones, (true label, given
    label, spans) by keys, "" for no span.
    """

    confusion: tuple[tuple[int, ...], ...] | None = None
    calibration_error: float | None = None
    parity: Parity | None = None
    thresholds: tuple[float, ...] = ()
    fit_seconds: float = 0.0
    bundle_bytes: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    speed: Speed | None = None
    entities: EntityFigures | None = None
    span_parity: SpanParity | None = None
    mistakes: tuple[tuple[str, str, int], ...] | None = None

    @property
    def checkpoint(self) -> str:
        """The pretrained checkpoint that the version was fine-tuned from, "" for any other version."""
        return str(self.details.get("checkpoint", ""))

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Self:
        """Read a stored report; what was not stored is unknown, and a key that is not known is left out."""
        found = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        if rows := found.get("confusion"):
            found["confusion"] = tuple(tuple(row) for row in rows)
        if rows := found.get("mistakes"):
            found["mistakes"] = tuple(tuple(row) for row in rows)
        if "thresholds" in found:
            found["thresholds"] = tuple(found["thresholds"])
        parity = _stored(Parity, found.get("parity"))
        if parity is not None:
            twin = found["parity"].get("twin")
            parity = replace(parity, twin=Int8Twin.from_json(twin) if twin else None)
        kept = {"speed": Speed, "entities": EntityFigures, "span_parity": SpanParity}
        parts = {name: _stored(kind, found.get(name)) for name, kind in kept.items()}
        return cls(**found | parts | {"parity": parity})

    def dump(self) -> dict[str, Any]:
        """Return the report as `json.dumps` takes it; what is not known is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _stored(kind: type[T], content: Mapping[str, Any] | None) -> T | None:
    """Return a dataclass of a report; None where it was not stored, or not with all that it needs."""
    known = {one.name: (content or {}).get(one.name, one.default) for one in fields(kind)}  # type: ignore[arg-type]
    return None if MISSING in known.values() else kind(**known)


@transaction.atomic
def record(
    *,
    run: TrainingRun,
    bundle: str,
    snapshot: Snapshot[Any],
    evaluation: Evaluation,
    labelled: int,
    report: VersionReport,
) -> ModelVersion:
    """Store the next version of the run's project; `bundle` is relative to BUNDLE_ROOT."""
    project = Project.objects.select_for_update(no_key=True).get(pk=run.project_id)
    version = ModelVersion(
        project=project,
        run=run,
        number=(project.versions.aggregate(last=Max("number"))["last"] or 0) + 1,
        family=run.family,
        variant=run.variant,
        bundle=bundle,
        label_ids=list(snapshot.label_ids),
        labelled=labelled,
        **_figures(evaluation),
        report=replace(
            report, confusion=evaluation.confusion, calibration_error=evaluation.calibration_error
        ).dump(),
    )
    manifest = read_manifest(version.bundle_folder)
    version.calibrated, version.abstain_below = manifest.calibrated, manifest.abstain_below
    version.bundle_digest = identity(version.bundle_folder)
    # A cascade reads its strong part's encoder, or its cheap part's where the strong one needs none.
    parts = [read_manifest(version.bundle_folder / part) for part in sorted(manifest.parts, reverse=True)]
    version.encoder = next((one.encoder for one in (manifest, *parts) if one.encoder), "")
    version.save()
    _keep_metrics(version, evaluation)
    return version


@transaction.atomic
def record_revision(
    *, of: ModelVersion, number: int, bundle: str, evaluation: Evaluation, abstain_below: float, verdict: str
) -> ModelVersion:
    """Store a version that scores as another one does, with what its own thresholds come to."""
    report = VersionReport.load(of.report)
    manifest = read_manifest(Path(settings.BUNDLE_ROOT) / bundle)
    version = ModelVersion.objects.create(
        project=of.project,
        run=of.run,
        number=number,
        family=of.family,
        variant=of.variant,
        encoder=of.encoder,
        revises=of,
        abstain_below=abstain_below,
        bundle=bundle,
        bundle_digest=identity(Path(settings.BUNDLE_ROOT) / bundle),
        calibrated=manifest.calibrated,
        label_ids=of.label_ids,
        labelled=of.labelled,
        verdict=verdict,
        **_figures(evaluation),
        report=replace(
            report,
            thresholds=manifest.thresholds,
            confusion=evaluation.confusion,
            calibration_error=evaluation.calibration_error,
            speed=None,
        ).dump(),
    )
    _keep_metrics(version, evaluation)
    return version


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    """Return the columns of a version that hold its evaluation."""
    names = [f"{kind}_f1{end}" for kind in ("macro", "micro") for end in ("", "_low", "_high")]
    return {"holdout_documents": evaluation.documents} | {name: getattr(evaluation, name) for name in names}


def _keep_metrics(version: ModelVersion, evaluation: Evaluation) -> None:
    ClassMetric.objects.bulk_create(
        ClassMetric(
            version=version,
            label_id=int(row.key),
            **{name: value for name, value in asdict(row).items() if name != "key"},
        )
        for row in evaluation.per_class
    )
