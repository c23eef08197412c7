"""Encoders beside the site's own: one that a lead named, or one tuned on the project's labels."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from annotate.models import Embedding, ModelVersion, Neighbourhood, Project, TrainingRun
from annotate.models.work import LIVE_STATES
from annotate.services.corpus import neighbourhoods, vector_store
from annotate.services.corpus.snapshots import Snapshot, SnapshotSummary
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.runs import scratch
from annotate.services.runs.schedule import RunReason
from annotate.services.versions.variants import TUNED, RunConfig, Variant
from training.encoders.tuning_steps import MOST_STEPS
from training.registry import ENCODER_TUNER, FAMILIES
from training.types import Dataset, ProgressCallback, TrainingError

SLICE_SECONDS = 1.0  # the progress is noted after each second of embedding
CHUNK = 500  # rows that are deleted in one transaction
PAUSE_SECONDS = 0.02  # between two transactions, so that an annotator who waits gets the lock


def of_run(*, run: TrainingRun, snapshot: Snapshot[Dataset], tell: ProgressCallback) -> SiteEmbedder:
    """Return the encoder that the run's vectors come from.

    A run that prepares it makes it first, and all of the project's vectors and neighbours with it.
    """
    config = RunConfig.load(run.config)
    if not config.encoder:
        return vector_store.embedder()
    name = config.encoder
    if name == TUNED:
        name = _tune(run, snapshot, tell) if config.prepare else tuned(run.project)
    encoder = vector_store.embedder(name)
    if config.prepare:
        missing, done = vector_store.missing(project=run.project, encoder=encoder), 0
        while done < missing:
            tell("vectors", 0.5 + 0.5 * done / missing)
            found = vector_store.embed(project=run.project, encoder=encoder, seconds=SLICE_SECONDS)
            if not found:
                break
            done += found
        neighbourhoods.find(project=run.project, encoder=encoder)
    return encoder


def tuned(project: Project) -> str:
    """Return the fingerprint of the encoder tuned on the project's labels that quick runs read."""
    version = _newest_tuned(project)
    if version is None:
        raise TrainingError(
            _("This project has no encoder tuned on its labels any more; start a run that tunes one.")
        )
    return version.encoder


def in_use(*, project: Project) -> list[str]:
    """Return the fingerprints of encoders, beside the site's, whose vectors the project's models read.

    Those of the published version, and of the newest of each family whose encoder can be chosen and that
    trains by itself; encoders that are gone are left out.
    """
    of_words = [key for key, family in FAMILIES.items() if family.reads_word_vectors]
    published = project.versions.published().exclude(family__in=of_words)
    versions = [published.only("encoder", "project").first()]
    for family in [key for key, entry in FAMILIES.items() if entry.takes_encoder]:
        variant = Variant(family, RunConfig.load(project.family_options.get(family, {})))
        alike = project.versions.filter(family=family, variant=variant.name).exclude(bundle="")
        newest = alike.only("encoder", "project").order_by("-number")
        versions.append(_newest_tuned(project) if variant.config.encoder == TUNED else newest.first())
    found = dict.fromkeys(version.encoder for version in versions if version and version.encoder)
    site = vector_store.site_fingerprint()
    return [name for name in found if name != site and vector_store.is_prepared(name)]


def _newest_tuned(project: Project) -> ModelVersion | None:
    """Return the version published last of those that read a tuned encoder, else the newest.

    One that was tuned anew, measured and not published must not take the published one's place.
    """
    made = project.versions.filter(run__config__encoder=TUNED).exclude(bundle="").only("encoder", "project")
    return made.order_by(F("published_at").desc(nulls_last=True), "-number").first()


def _tune(run: TrainingRun, snapshot: Snapshot[Dataset], tell: ProgressCallback) -> str:
    """Tune the site's encoder; the successor of a killed attempt finds what that one has made."""
    summary = SnapshotSummary.load(run.snapshot)
    made = summary.encoder
    if made and (Path(settings.ENCODER_ROOT) / made).is_dir():
        return made
    found = ENCODER_TUNER.load()(
        settings.ENCODER,
        snapshot.dataset,
        scratch.folder(run) / "encoder",
        Path(settings.ENCODER_ROOT),
        most_steps=most_steps(run),
        on_progress=lambda done: tell("tune the encoder", 0.5 * done),
    )
    made = str(found.export.name)
    run.snapshot = replace(summary, encoder=made).dump()
    TrainingRun.objects.filter(pk=run.pk).update(snapshot=run.snapshot)
    return made


def most_steps(run: TrainingRun) -> int | None:
    """Return the most batches that an encoder is tuned on, None for the tuner's own limit.

    A run that began by itself takes no more than minutes.
    """
    return MOST_STEPS if run.reason == RunReason.TUNE else None


def sweep(*, project: Project) -> int:
    """Remove the encoders that runs have tuned and that no kept bundle reads, with their vectors.

    Return how many were removed. None is while a run works with a tuned encoder, as it may be making the
    same one again: labels that stayed as they are tune the same encoder.
    """
    if is_tuning():
        return 0
    over = project.runs.filter(config__encoder=TUNED).exclude(state__in=LIVE_STATES)
    made = {SnapshotSummary.load(kept).encoder for kept in over.values_list("snapshot", flat=True)}
    kept = set(ModelVersion.objects.exclude(bundle="").values_list("encoder", flat=True))
    gone = {name for name in made - kept if name and (Path(settings.ENCODER_ROOT) / name).is_dir()}
    for name in gone:
        remove(name)
    return len(gone)


def is_tuning() -> bool:
    return TrainingRun.objects.live().filter(config__encoder=TUNED).exists()


def remove(name: str) -> None:
    """Remove the encoder of a fingerprint with all that was made by it."""
    # NB: the folder goes last. While it is there, the next sweep finds what this one left, should it break
    # off. Another worker may sweep at the same time.
    delete(Neighbourhood.objects.filter(encoder=name))
    delete(Embedding.objects.filter(encoder=name))
    shutil.rmtree(Path(settings.ENCODER_ROOT) / name, ignore_errors=True)


def delete(rows: QuerySet[Any]) -> int:
    """Delete a few rows at a time, and return how many: on SQLite, annotators wait while many are deleted."""
    deleted = 0
    while keys := list(rows.order_by().values_list("pk", flat=True)[:CHUNK]):
        rows.model.objects.filter(pk__in=keys).delete()
        deleted += len(keys)
        time.sleep(PAUSE_SECONDS)
    return deleted
