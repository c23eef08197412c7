"""What people should label next: a query strategy looks at the pool, and its choice fills the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotate.models import Batch, ModelVersion, Project
from annotate.services.corpus import vector_store
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.corpus.vector_store import SiteEmbedder
from annotate.services.labeling import queue
from training.encoders.names import name_vectors
from training.registry import CHOOSER, STRATEGIES, entry
from training.selection import PoolView
from training.types import DocumentTask, FloatArray


@dataclass(frozen=True, slots=True)
class SeenVectors:
    """By the site's encoder: of the pool (pool documents, dimension), and of what is labelled and has one.

    `names` (labels, dimension) are those of the labels' names, None where a document may have several labels.
    """

    pool: FloatArray
    labelled: FloatArray
    names: FloatArray | None = None


def vectors_of(project: Project, snapshot: Snapshot[Any]) -> SeenVectors | None:
    """Return what texts look like to the site's encoder, None while some of the pool have no vector."""
    if not vector_store.any_for(project=project):
        return None
    site = vector_store.embedder()
    return seen_by(site, snapshot) if site.known(snapshot.pool_texts).all() else None


def seen_by(site: SiteEmbedder, snapshot: Snapshot[Any]) -> SeenVectors:
    """Return what texts look like to the site's encoder, which knows all of the pool."""
    learned = snapshot.dataset.texts
    known = [text for text, is_known in zip(learned, site.known(learned), strict=True) if is_known]
    schema = snapshot.dataset.schema
    has_one = isinstance(schema.task, DocumentTask) and schema.task.exclusive and len(schema)
    names = name_vectors(schema, site) if has_one else None
    return SeenVectors(site.embed(snapshot.pool_texts), site.embed(known), names)


def choose(
    *,
    project: Project,
    snapshot: Snapshot[Any],
    version: ModelVersion | None = None,
    scores: FloatArray | None = None,
    vectors: SeenVectors | None = None,
    thresholds: Sequence[float] | None = None,
) -> Batch | None:
    """Choose the next batch from the snapshot's pool and put it into the queue; None with an empty pool.

    `scores` (pool documents, labels) and `thresholds` (labels,) are those of `version`. Raises
    `TrainingError` where the strategy cannot choose by them.
    """
    if not len(snapshot.pool_ids):
        return None
    key = project.strategy or project.task_type.task.strategy(
        snapshot.dataset, fair=(snapshot.tuning, snapshot.reporting)
    )
    wanted = entry(STRATEGIES, key)
    # Before the first model, and before the texts have their vectors, the strategy has nothing to look at.
    if wanted.reads_scores and scores is None:
        key = "kmeans" if vectors is not None else "random"
    elif wanted.reads_vectors and vectors is None:
        key = "random"
    view = PoolView(
        size=len(snapshot.pool_ids),
        scores=scores,
        vectors=None if vectors is None else vectors.pool,
        labelled=None if vectors is None else vectors.labelled,
        names=None if vectors is None else vectors.names,
        thresholds=None if thresholds is None else np.array(thresholds, np.float32),
        label_counts=snapshot.dataset.label_counts,
    )
    rng = np.random.default_rng()
    n = min(project.batch_size, view.size)
    shares = {"random_share": project.random_share, "novel_share": project.novel_share}
    selection = CHOOSER.load()(key, view, n, rng, **shares)
    return queue.refill(
        project=project,
        strategy=key,
        version=version,
        documents=snapshot.pool_ids[selection.indices].tolist(),  # the most wanted first
        drawn=set(snapshot.pool_ids[selection.drawn].tolist()),
        novel=set(snapshot.pool_ids[selection.unlike].tolist()),
    )
