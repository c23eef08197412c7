"""What tells how sure a model may be whose encoder was tuned on the labelled documents themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotate.models import ModelVersion, Project, TrainingRun
from annotate.models.documents import Lane
from annotate.services.corpus.snapshots import Snapshot, SnapshotSummary
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.runs import encoders, scratch
from annotate.services.versions.record import VersionReport
from annotate.services.versions.variants import TUNED, RunConfig
from training.bundles.bundle import read_manifest
from training.encoders.tuning_steps import can_be_calibrated
from training.encoders.vectors import CachedEmbedder, FolderStore, knows_labels
from training.preprocess.encoder import OnnxEncoder
from training.registry import ENCODER_TUNER
from training.runs.crossfit import Tunes, cross_fitted
from training.runs.pipeline import TunedOn
from training.splits import split_key
from training.types import Dataset, Embedder, ProgressCallback, RunSpec


def tuned_on(
    *,
    run: TrainingRun,
    snapshot: Snapshot[Dataset],
    encoder: SiteEmbedder,
    spec: RunSpec,
    tell: ProgressCallback,
) -> TunedOn | None:
    """Return what the run's encoder has seen of the documents, None of one that was tuned on no labels.

    Where the documents that it has not seen are too few to calibrate by, a run that has tuned it tunes it
    anew without each third of them, and a later one takes over what was learned then.
    """
    if not knows_labels(encoder):
        return None
    config, task = RunConfig.load(run.config), snapshot.dataset.schema.task
    seen = _seen(run, snapshot, encoder.fingerprint)
    if not task.exclusive or can_be_calibrated(task, len(snapshot.tuning) + int((~seen).sum())):
        return TunedOn(seen)
    if config.prepare and config.encoder == TUNED:
        found = cross_fitted(spec, snapshot.dataset, _tuner(run), partial(tell, "calibrate"))
        shutil.rmtree(_folder(run), ignore_errors=True)
        return TunedOn(seen, found)
    earlier = _calibrated_before(run, encoder.fingerprint)
    if earlier is None:
        return TunedOn(seen)
    documents = VersionReport.load(earlier.report).details["tuned_documents"]
    return TunedOn(seen, carried=read_manifest(earlier.bundle_folder).calibration, documents=documents)


def _seen(run: TrainingRun, snapshot: Snapshot[Dataset], fingerprint: str) -> NDArray[np.bool_]:
    """Return which labelled documents (documents,) the encoder was tuned on, near duplicates among them.

    All of them where this run has tuned it, and where nobody knows who has.
    """
    of_project = run.project.runs.filter(config__encoder=TUNED, config__prepare=True)
    maker = of_project.filter(snapshot__encoder=fingerprint).first()
    if maker is None or maker.pk == run.pk:
        return np.ones(len(snapshot.dataset), bool)
    keys = _keys_until(run.project, SnapshotSummary.load(maker.snapshot).annotation)
    return np.array([split_key(text) in keys for text in snapshot.dataset.texts], bool)


def _keys_until(project: Project, annotation: int) -> set[str]:
    learned = project.annotations.answered().filter(pk__lte=annotation, document__lane=Lane.POOL)
    return {split_key(text) for text in learned.order_by().values_list("document__text", flat=True)}


def _calibrated_before(run: TrainingRun, fingerprint: str) -> ModelVersion | None:
    """Return the newest version of the run's kind that tells confidences over the same encoder."""
    alike = run.project.versions.filter(family=run.family, variant=run.variant, encoder=fingerprint)
    found = alike.filter(calibrated=True).exclude(bundle="").order_by("-number")
    return next((v for v in found if v.bundle_folder.is_dir() and v.has_its_own_bundle()), None)


def _tuner(run: TrainingRun) -> Tunes:
    """Return what tunes the site's encoder on some of the documents, as the run has on all of them."""
    numbers = count()

    def tune(dataset: Dataset, told: Callable[[float], None]) -> Embedder:
        folder = _folder(run) / str(next(numbers))
        found = ENCODER_TUNER.load()(
            settings.ENCODER,
            dataset,
            folder / "encoder",
            folder / "exports",
            most_steps=encoders.most_steps(run),
            on_progress=told,
        )
        return CachedEmbedder(OnnxEncoder(found.export), FolderStore(folder / "vectors"))

    return tune


def _folder(run: TrainingRun) -> Path:
    return scratch.folder(run) / "folds"
