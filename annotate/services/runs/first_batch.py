"""Before the first model: the first batch by the texts alone, and a model of the labels' names alone."""

from __future__ import annotations

from annotate.models import Project, TrainingRun
from annotate.services.corpus import snapshots, vector_store
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.runs import encoders, next_batch, schedule
from training.registry import FAMILIES

SAMPLE = 1_000  # so many vectors are enough to choose a first batch from


def begin(*, project: Project, encoder: SiteEmbedder, is_complete: bool) -> list[TrainingRun]:
    """Choose the first batch once there are vectors for it, and open the run that learns from names."""
    if not project.batches.exists():
        snapshot = snapshots.take(project=project)
        snapshot = snapshot.only(encoder.known(snapshot.pool_texts))
        if is_complete or len(snapshot.pool_ids) >= SAMPLE:
            vectors = next_batch.seen_by(encoder, snapshot)
            next_batch.choose(project=project, snapshot=snapshot, vectors=vectors)
    from_names = [key for key in schedule.families(project) if FAMILIES[key].starts_from_names]
    if (
        from_names
        and is_complete
        and project.training_enabled
        and not project.runs.filter(family__in=from_names).exists()
    ):
        return schedule.open_if_due(project=project, reason=schedule.RunReason.NAMES)
    return []


def is_waiting(*, project: Project) -> bool:
    """Tell whether texts have no vector under the site's encoder, or under another that its models read."""
    wanted = [vector_store.site_fingerprint(), *encoders.in_use(project=project)]
    return any(vector_store.are_missing(project=project, fingerprint=one) for one in wanted)
