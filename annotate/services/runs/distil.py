"""A project's strong model as the teacher of a cheap one: it labels the pool, the other learns from that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import ModelVersion, Project
from annotate.models.versions import Stage
from annotate.services.corpus import vector_store, word_vectors
from annotate.services.corpus.snapshots import Snapshot
from annotate.services.versions.loaded_bundles import suited
from training.bundles.cascade import open_predictor
from training.bundles.span_predictor import SpanPredictor
from training.runs.distillation import teach, teach_spans
from training.spans import SpanDataset
from training.types import Dataset, Pool, TrainingError

# Texts of the pool that are labelled: a strong teacher needs minutes for more of them.
MOST_TEXTS = 10_000


def taught(
    *, project: Project, snapshot: Snapshot[Dataset], family: str, tell: Callable[[float], None]
) -> Snapshot[Dataset]:
    """Return the snapshot with what the project's model of `family` says of the pool's texts.

    The snapshot comes without neighbours: their rows count the documents and then the pool, and the texts
    that are taught would stand between the two.
    """
    version = teacher(project, family, snapshot.label_ids)
    predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
    encoder = vector_store.embedder(version.encoder) if version.encoder else None
    dataset = teach(
        predictor,
        replace(snapshot.dataset, pool=Pool(snapshot.pool_texts)),
        snapshot.pool_texts[:MOST_TEXTS],
        embedder=suited(predictor, encoder),
        tell=tell,
    )
    return replace(snapshot, dataset=dataset)


def taught_spans(
    *, project: Project, snapshot: Snapshot[SpanDataset], family: str, tell: Callable[[float], None]
) -> Snapshot[SpanDataset]:
    """Return the snapshot with the spans that the project's model of `family` finds in the pool's texts."""
    version = teacher(project, family, snapshot.label_ids)
    predictor = SpanPredictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
    words = word_vectors.of(project, version.encoder) if version.encoder else None
    dataset = teach_spans(predictor, snapshot.dataset, snapshot.pool_texts, encoder=words, tell=tell)
    return replace(snapshot, dataset=dataset)


def teacher(project: Project, family: str, label_ids: Sequence[int]) -> ModelVersion:
    """Return the version of the family that teaches: the published one, else the newest with a bundle.

    Versions that learned the labels as they are now go before others. Raises `TrainingError` without any.
    """
    kept = list(project.versions.filter(family=family).exclude(bundle="").order_by("-number"))
    if not kept:
        raise TrainingError(
            _("There is no kept version of %(family)s to learn from; train one first.") % {"family": family}
        )
    fitting = [version for version in kept if version.label_ids == list(label_ids)] or kept
    return next((version for version in fitting if version.stage == Stage.PUBLISHED), fitting[0])
