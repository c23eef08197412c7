"""What programs asked about, beside what people have labelled: how near it is, and what lies far from all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from django.utils.translation import gettext as _

from annotate.models import Annotation, Batch, Document, PredictionWindow, Project
from annotate.services.corpus import vector_store
from annotate.services.imports.upsert import IncomingDocument, recorded, store_rows
from annotate.services.labeling import queue
from training.drift import topics
from training.drift.means import Moments
from training.drift.vocabulary import Vocabulary
from training.types import FloatArray

LABELLED = 20_000  # the newest labelled documents, which texts are compared with
QUEUED = 50  # texts of an alarm


def similarity(window: PredictionWindow) -> Moments | None:
    """Return how near the kept texts of a window are to the nearest labelled text, by the site's encoder.

    None where no text is kept, nothing is labelled yet, or the site has no encoder.
    """
    texts = list(window.asked.order_by("pk").values_list("text", flat=True))
    compared = _labelled_vectors(window.project) if texts else None
    if compared is None:
        return None
    vectors = vector_store.embedder().embed_unkept(texts)
    return Moments.of(topics.nearest_similarity(vectors, compared).astype(np.float64))


def unknown_words(window: PredictionWindow) -> Moments | None:
    """Return which share of the words of a window's kept texts no labelled text has; it needs no encoder.

    None where no text is kept, or nothing is labelled yet.
    """
    texts = list(window.asked.order_by("pk").values_list("text", flat=True))
    labelled = _labelled_texts(window.project) if texts else []
    return Moments.of(Vocabulary.of(labelled).unknown(texts)) if labelled else None


def queue_strangest(window: PredictionWindow) -> tuple[Batch | None, int]:
    """Make documents of the kept texts of a window; the strangest of the pool go in front of the queue.

    All texts become documents, so that those which fall into the holdout are an even draw of what programs
    ask about now. Return the batch and how many texts are in front; no batch where none is kept.
    """
    project = window.project
    texts = list(window.asked.order_by("pk").values_list("text", flat=True))
    compared = _labelled_vectors(project) if texts else None
    if compared is None:
        return None, 0
    meta = {_("asked by a program"): window.ended_at.date().isoformat()}
    rows = (IncomingDocument(text=text, meta=meta, number=number) for number, text in enumerate(texts, 1))
    store_rows(project=project, rows=rows, on_chunk=recorded(project=project, by=None))
    found = _pool_documents(project, texts)
    if not found:
        return None, 0
    vectors = vector_store.embedder().embed([text for _pk, text in found])
    chosen = topics.most_unlike(vectors, compared, QUEUED)
    keys = [found[row][0] for row in chosen.indices.tolist()]
    return queue.put_first(project=project, version=window.version, documents=keys), len(keys)


def _pool_documents(project: Project, texts: Sequence[str]) -> list[tuple[int, str]]:
    """Return the keys and texts of the pool documents of these texts that nobody has or decided on."""
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
    rows = Document.objects.filter(project=project, sha256__in=digests).pool().unassigned()
    return list(rows.order_by("pk").values_list("pk", "text"))


def _labelled_vectors(project: Project) -> FloatArray | None:
    """Return the vectors (documents, dimension) of the newest labelled texts; None where there are none."""
    if not vector_store.site_fingerprint():
        return None
    texts = _labelled_texts(project)
    return vector_store.embedder().embed(list(dict.fromkeys(texts))) if texts else None


def _labelled_texts(project: Project) -> list[str]:
    answered = Annotation.objects.answered().filter(project=project).order_by("-pk")
    return list(answered.values_list("document__text", flat=True)[:LABELLED])
