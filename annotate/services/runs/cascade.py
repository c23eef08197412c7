"""Two versions of a project as one: the cheap one answers what it is sure of, the strong one the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import ModelVersion, Project, TrainingRun, User
from annotate.models.runs import RunKind
from annotate.services.corpus import vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.runs import schedule
from annotate.services.runs.plan import Made, Prepared, bundle_of
from annotate.services.versions import publication, record
from annotate.services.versions.loaded_bundles import suited
from annotate.services.versions.publication import Verdict
from annotate.services.versions.record import VersionReport
from annotate.services.versions.variants import RunConfig, Variant
from annotate.services.work.progress import ProgressMeter
from training.bundles.bundle import bundle_bytes
from training.bundles.cascade import open_predictor
from training.figures.evaluate import evaluate
from training.runs.cascade_tuning import build_cascade
from training.types import Objective, TrainingError


@dataclass(frozen=True, slots=True)
class CascadeParts:
    """The numbers of the two versions; the config of a cascade's run stores them."""

    cheap: int
    strong: int

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Self:
        """Read the config of a cascade's run."""
        return cls(cheap=content["cheap"], strong=content["strong"])

    def dump(self) -> dict[str, Any]:
        return asdict(self)


def combine(*, project: Project, cheap: int, strong: int, by: User) -> list[TrainingRun]:
    """Open the run that combines two versions, by number; none where such a run is live already."""
    variant = Variant(RunKind.CASCADE.value, RunConfig(CascadeParts(cheap, strong).dump()))
    return schedule.open_run(project=project, variant=variant, reason=schedule.RunReason.LEAD, by=by)


class CascadePlan:
    """The run that combines two versions."""

    def prepare(self, run: TrainingRun, snapshot: Snapshot[Any], meter: ProgressMeter) -> Prepared:
        """Find the encoder whose kept vectors one of the parts reads."""
        cheap, strong = _parts(run)
        reads = strong.encoder or cheap.encoder
        is_kept = bool(reads) and vector_store.any_for(project=run.project)
        return Prepared(snapshot, vector_store.embedder(reads) if is_kept else None)

    def resume(
        self, run: TrainingRun, version: ModelVersion, snapshot: Snapshot[Any], meter: ProgressMeter
    ) -> tuple[Prepared, Made]:
        """Find the encoder again; nothing else is needed to judge a cascade."""
        return self.prepare(run, snapshot, meter), Made(version)

    def make(self, run: TrainingRun, prepared: Prepared, meter: ProgressMeter) -> Made:
        """Find the split on the tuning half, and measure the cascade on the reporting half."""
        meter("tune", 0.1)
        project, snapshot, (cheap, strong) = run.project, prepared.snapshot, _parts(run)
        folder = settings.BUNDLE_ROOT / bundle_of(run)
        split = build_cascade(
            cheap.checked_folder(),
            strong.checked_folder(),
            snapshot.tuning,
            folder,
            embedder=prepared.encoder,
            encoder_root=settings.ENCODER_ROOT,
            objective=Objective(project.objective),
            objective_value=project.objective_value,
            replace_bundle=True,
        )
        predictor, reporting = open_predictor(folder, encoder_root=settings.ENCODER_ROOT), snapshot.reporting
        scores = predictor.predict_proba(reporting.texts, embedder=suited(predictor, prepared.encoder))
        rng = np.random.default_rng(0)
        reports = [VersionReport.load(part.report) for part in (cheap, strong)]
        details = asdict(split) | CascadeParts(cheap.number, strong.number).dump()
        for report in reports:
            if report.checkpoint:
                # The report card reads the languages of a model off its checkpoint's name.
                details["checkpoint"] = report.checkpoint
        version = record.record(
            run=run,
            bundle=bundle_of(run),
            snapshot=snapshot,
            evaluation=evaluate(reporting.schema, reporting.targets, scores, predictor.thresholds, rng),
            labelled=strong.labelled,
            report=VersionReport(
                fit_seconds=sum(report.fit_seconds for report in reports),
                bundle_bytes=bundle_bytes(folder),
                details=details,
            ),
        )
        return Made(version)

    def judge(self, made: Made, prepared: Prepared) -> Verdict:
        """Compare the cascade with the published version on the tuning half, as the other half reports."""
        return publication.judge(
            version=made.version,
            documents=prepared.snapshot.tuning,
            encoder=prepared.encoder,
            were_tuned_on=True,
        )

    def after(self, run: TrainingRun, made: Made, prepared: Prepared) -> None:
        """Leave the queue as it is: a cascade learned nothing that would choose other documents."""


def _parts(run: TrainingRun) -> tuple[ModelVersion, ModelVersion]:
    """Return the cheap and the strong version; raises `TrainingError` where a bundle is gone."""
    numbers = CascadeParts.load(run.config)
    kept = {version.number: version for version in run.project.versions.exclude(bundle="")}
    for number in (numbers.cheap, numbers.strong):
        if number not in kept:
            raise TrainingError(
                _("The bundle of version %(n)s is no longer kept; train its family again.") % {"n": number}
            )
    return kept[numbers.cheap], kept[numbers.strong]
