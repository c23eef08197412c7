"""The documents of a project whose texts are most like another one, or like a phrase.

Likeness is the cosine of vectors by the site's encoder: texts that mean alike are near, whatever their words.
"""

from __future__ import annotations

import numpy as np
from django.db.models import Q
from django.utils.translation import gettext as _

from annotate.models import Document, Embedding, Project
from annotate.services.among import among
from annotate.services.corpus import signs, vector_store
from annotate.services.corpus.vector_store import STORED
from training.types import FloatArray


def fault(project: Project, document: Document | None = None) -> str:
    """Return why nothing can be compared with a document, or with a phrase where none is named; else ""."""
    fingerprint = vector_store.site_fingerprint()
    if not fingerprint:
        return _("Texts cannot be compared yet: the encoder of this site has not been prepared.")
    if document is not None and _stored(document, fingerprint) is None:
        return _(
            "This text cannot be compared yet: it has no vector. A worker makes vectors in the background."
        )
    if signs.read(project, fingerprint) is None:
        return _("Texts cannot be compared yet: a worker still makes the vectors of this project.")
    return ""


def compared(project: Project) -> int:
    """Return how many documents have a vector that others are compared with."""
    columns = signs.read(project, vector_store.site_fingerprint())
    return 0 if columns is None else columns.shape[1]


def to_document(document: Document) -> list[int]:
    """Return the keys of the documents most like this one, best first; none where there is a fault."""
    fingerprint = vector_store.site_fingerprint()
    vector = _stored(document, fingerprint)
    if vector is None:
        return []
    found = signs.nearest(project=document.project, fingerprint=fingerprint, vector=vector)
    return [pk for pk, _cosine in found if pk != document.pk]


def to_phrase(project: Project, phrase: str) -> list[int]:
    """Return the keys of the documents most like a phrase, best first; none where there is a fault."""
    fingerprint = vector_store.site_fingerprint()
    if not fingerprint:
        return []
    vector = vector_store.embedder(fingerprint).embed_unkept([phrase])[0]
    return [pk for pk, _cosine in signs.nearest(project=project, fingerprint=fingerprint, vector=vector)]


def near_document(project: Project, pk: int) -> Q:
    """Return which documents are among those most like the one of a key."""
    document = project.documents.select_related("project").filter(pk=pk).first()
    return Q(pk__in=among(to_document(document) if document else []))


def near_phrase(project: Project, phrase: str) -> Q:
    return Q(pk__in=among(to_phrase(project, phrase)))


def _stored(document: Document, fingerprint: str) -> FloatArray | None:
    stored = Embedding.objects.filter(encoder=fingerprint, sha256=document.sha256).first()
    return None if stored is None else np.frombuffer(stored.vector, STORED)
