"""The nearest pool documents of each pool document: searched once, kept, and given to every run."""

from __future__ import annotations

import numpy as np
from django.db.models import QuerySet
from numpy.typing import NDArray

from annotate.models import Document, Neighbourhood, Project
from annotate.services.corpus.vector_store import SiteEmbedder
from training.encoders.neighbours import nearest_to
from training.types import IntArray, Neighbours

K = 10
CHUNK = 1_000  # rows of one transaction
KEYS = np.dtype("<i8")
COSINES = np.dtype("<f4")


def find(*, project: Project, encoder: SiteEmbedder) -> int:
    """Search the neighbours of pool documents that have none yet; return how many were searched.

    Neighbours found earlier stay when documents are added: they are still near, if no longer nearest.
    """
    rows = list(Document.objects.filter(project=project).pool().order_by("pk").values_list("pk", "text"))
    known = set(_of(project, encoder).values_list("document", flat=True))
    missing = np.array([i for i, (key, _) in enumerate(rows) if key not in known], np.int64)
    if not len(missing) or len(rows) < 2:
        return 0
    keys = np.array([key for key, _ in rows], np.int64)
    vectors = encoder.embed([text for _, text in rows])
    found = nearest_to(vectors[missing], vectors, min(K + 1, len(rows)))
    for start in range(0, len(missing), CHUNK):
        part = slice(start, start + CHUNK)
        chunk = []
        for row, indices, similarities in zip(
            missing[part], found.indices[part], found.similarities[part], strict=True
        ):
            others: NDArray[np.bool_] = indices != row  # the search finds each document nearest to itself
            chunk.append(
                Neighbourhood(
                    document_id=int(keys[row]),
                    encoder=encoder.fingerprint,
                    neighbours=keys[indices[others]][:K].astype(KEYS).tobytes(),
                    similarities=similarities[others][:K].astype(COSINES).tobytes(),
                )
            )
        Neighbourhood.objects.bulk_create(chunk, ignore_conflicts=True)
    return len(missing)


def among(*, project: Project, encoder: SiteEmbedder, documents: IntArray) -> Neighbours | None:
    """Return the neighbours of `documents` as rows among them; None where none are kept.

    A neighbour that is not among them keeps its place with a similarity of 0.
    """
    position = {key: row for row, key in enumerate(documents.tolist())}
    indices = np.zeros((len(documents), K), np.int64)
    similarities = np.zeros((len(documents), K), np.float32)
    kept = list(_of(project, encoder).values_list("document", "neighbours", "similarities"))
    for document, neighbours, cosines in kept:
        if (row := position.get(document)) is None:
            continue
        keys = np.frombuffer(neighbours, KEYS).tolist()
        places = [position.get(key, -1) for key in keys]
        indices[row, : len(keys)] = np.maximum(places, 0)
        similarities[row, : len(keys)] = np.where(np.array(places) < 0, 0.0, np.frombuffer(cosines, COSINES))
    return Neighbours(indices, similarities) if kept else None


def _of(project: Project, encoder: SiteEmbedder) -> QuerySet[Neighbourhood]:
    return Neighbourhood.objects.filter(document__project=project, encoder=encoder.fingerprint)
