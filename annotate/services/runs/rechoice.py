"""What waits in the queue is chosen anew where a lead has changed how documents are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from django.conf import settings

from annotate.models import Batch, ModelVersion, Project
from annotate.services.corpus import snapshots, vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.runs import next_batch
from annotate.services.runs.tagging import signs_of
from annotate.services.versions.loaded_bundles import suited
from training.bundles.cascade import open_predictor
from training.types import FloatArray

POOL = 2_000  # documents that are scored, as many as a slow family scores for its own batch
AT_ONCE = 100


def choose_anew(*, project: Project, tell: Callable[[float], None] = lambda done: None) -> Batch | None:
    """Choose the waiting batch anew, by the settings as they are and by the published model if there is one.

    Documents that somebody has before them stay. None where nothing was chosen yet: the first choice follows
    the settings by itself.
    """
    if not project.batches.exists():
        return None
    snapshot = snapshots.take(project=project)
    version = project.versions.published().first()
    if version is None or set(version.label_ids) != set(snapshot.label_ids):
        # A model of other labels cannot tell what it is unsure of; the next run's can.
        return next_batch.choose(
            project=project, snapshot=snapshot, vectors=next_batch.vectors_of(project, snapshot)
        )
    snapshot = snapshot.only(np.arange(len(snapshot.pool_ids)) < POOL)  # they lie in random order
    scores, thresholds = _scores(version, snapshot, tell)
    return next_batch.choose(
        project=project,
        snapshot=snapshot,
        version=version,
        scores=scores,
        vectors=next_batch.vectors_of(project, snapshot),
        thresholds=None if thresholds is None else thresholds.tolist(),
    )


def _scores(
    version: ModelVersion, snapshot: Snapshot[Any], tell: Callable[[float], None]
) -> tuple[FloatArray, FloatArray | None]:
    """Return scores (pool documents, labels) and thresholds (labels,), labels in the snapshot's order.

    Of a tagger they are the signs of each text's words, and there are no thresholds.
    """
    if version.tags_words:
        return signs_of(version, snapshot.pool_texts), None
    predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
    embedder = None
    if version.encoder and vector_store.any_for(project=version.project):
        embedder = suited(predictor, vector_store.embedder(version.encoder))
    column = {pk: j for j, pk in enumerate(version.label_ids)}
    order = [column[pk] for pk in snapshot.label_ids]
    texts, parts = snapshot.pool_texts, [np.zeros((0, len(column)), np.float32)]
    for start in range(0, len(texts), AT_ONCE):
        tell(start / len(texts))
        parts.append(predictor.predict_proba(texts[start : start + AT_ONCE], embedder=embedder))
    return np.concatenate(parts)[:, order], predictor.thresholds[order]
