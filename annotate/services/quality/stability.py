"""Whether labelling may stop: models that follow each other say the same of the pool."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from annotate.models import ModelVersion, Project
from annotate.models.versions import Sample
from annotate.services.versions import samples
from annotate.services.versions.samples import ScoredDocuments
from training.figures.projection import STABLE_RUNS, PoolAgreement, is_stable, pool_agreement
from training.types import DocumentTask


def has_settled(project: Project) -> bool:
    """Tell whether the newest models of the published kind agree on the pool so far as is looked for.

    Revisions decide otherwise because somebody has set their thresholds, so they tell nothing of labels.
    """
    published, task = project.versions.published().first(), project.task_type.task
    if published is None or not isinstance(task, DocumentTask):
        return False
    alike = project.versions.filter(family=published.family, variant=published.variant, revises=None)
    served = alike.filter(kept_scores__sample=Sample.POOL).order_by("-number")[: STABLE_RUNS + 1]
    newest = list(reversed(served))
    if len({tuple(version.label_ids) for version in newest}) != 1:
        return False
    return is_stable([_agreement(task, one, other) for one, other in pairwise(newest)])


def _agreement(task: DocumentTask, one: ModelVersion, other: ModelVersion) -> PoolAgreement:
    """Compare two versions on the documents of the pool that both were asked about."""
    first, second = (samples.read(version=version, sample=Sample.POOL) for version in (one, other))
    assert first is not None
    assert second is not None
    _keys, here, there = np.intersect1d(first.keys, second.keys, return_indices=True)
    said = _decisions(task, first, here), _decisions(task, second, there)
    return pool_agreement(*said, exclusive=task.exclusive)


def _decisions(task: DocumentTask, sample: ScoredDocuments, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    return task.decide(sample.scores[rows], sample.thresholds)
