"""Vectors of a project's texts: made once in the background, kept in the database, used by every run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from annotate.models import Document, Embedding, Project
from training.encoders.export import prepare_encoder, prepared_encoder
from training.encoders.vectors import CachedEmbedder, text_key
from training.preprocess.encoder import MODEL_FILE, OnnxEncoder
from training.types import Embedder, FloatArray, TrainingError

CHUNK = 64  # texts of one transaction, which a stopped worker has to embed again
READ = 500  # keys of one query; SQLite takes a limited number of parameters
SLICE_SECONDS = 20.0  # after these a task lets waiting runs go first
COMPARED = 200  # texts that are embedded in INT8 and in FP32, once for each encoder
STORED = np.dtype("<f4")
FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class DatabaseStore:
    """Keeps vectors in the site's database, as a `VectorStore`; a process remembers what it has read."""

    LIMIT = 200_000

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], FloatArray] = {}

    def get_many(self, fingerprint: str, keys: Sequence[str]) -> Mapping[str, FloatArray]:
        unknown = [key for key in keys if (fingerprint, key) not in self._known]
        if len(self._known) + len(unknown) > self.LIMIT:
            self._known.clear()
            unknown = list(keys)
        for start in range(0, len(unknown), READ):
            rows = Embedding.objects.filter(encoder=fingerprint, sha256__in=unknown[start : start + READ])
            for key, vector in rows.values_list("sha256", "vector"):
                self._known[fingerprint, key] = np.frombuffer(vector, STORED)
        found = ((key, self._known.get((fingerprint, key))) for key in keys)
        return {key: vector for key, vector in found if vector is not None}

    def put_many(self, fingerprint: str, vectors: Mapping[str, FloatArray]) -> None:
        rows = [
            Embedding(encoder=fingerprint, sha256=key, vector=vector.astype(STORED).tobytes())
            for key, vector in vectors.items()
        ]
        Embedding.objects.bulk_create(rows, ignore_conflicts=True)
        self._known.update({(fingerprint, key): vector for key, vector in vectors.items()})

    def forget(self, fingerprint: str, keys: Sequence[str]) -> None:
        """Forget vectors that are no longer in the database, so that they are made and stored again."""
        for key in keys:
            self._known.pop((fingerprint, key), None)


class SiteEmbedder(CachedEmbedder):
    """The site's encoder over the vectors in its database."""

    def __init__(self, encoder: Embedder, store: DatabaseStore) -> None:
        super().__init__(encoder, store)
        self.store = store

    def embed_unkept(self, texts: Sequence[str]) -> FloatArray:
        """Return vectors (texts, dimension) of what is no document, as what somebody searches for."""
        return self._encoder.embed(texts)

    def known(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Tell (texts,) which vectors are there, so that a run need not wait for the others."""
        keys = [text_key(text) for text in texts]
        there = self.store.get_many(self.fingerprint, keys)
        return np.array([key in there for key in keys], bool)


@lru_cache(maxsize=3)
def embedder(name: str = "") -> SiteEmbedder:
    """Return an encoder over the database: the site's, or one by its checkpoint's name or its fingerprint.

    Raises `TrainingError` where there is none.
    """
    if not FINGERPRINT.fullmatch(name):
        # The INT8 encoder has to agree with its original on some texts of this site.
        texts = list(Document.objects.order_by("-pk").values_list("text", flat=True)[:COMPARED])
        folder = prepare_encoder(name or settings.ENCODER, settings.ENCODER_ROOT, texts=texts)
        return embedder(folder.name)
    # An encoder whose folder is gone can be made again only if it is the site's own.
    if not is_prepared(name) and embedder().fingerprint != name:
        sentence = _(
            "The encoder %(name)s is no longer in %(folder)s; train with it once more, or with another."
        )
        raise TrainingError(sentence % {"name": name[:12], "folder": settings.ENCODER_ROOT})
    return SiteEmbedder(OnnxEncoder(Path(settings.ENCODER_ROOT) / name), _store())


def is_prepared(fingerprint: str) -> bool:
    """Tell whether the encoder of that fingerprint is there."""
    return (Path(settings.ENCODER_ROOT) / fingerprint / MODEL_FILE).is_file()


@cache
def _store() -> DatabaseStore:
    """Return the one store of this process, which all encoders share because memory is limited."""
    return DatabaseStore()


def any_for(*, project: Project) -> bool:
    """Tell whether the project's texts have been given to an encoder at all."""
    first = project.documents.order_by("-lane", "sha256").values("sha256")[:1]
    return Embedding.objects.filter(sha256__in=first).exists()


def embed(
    *,
    project: Project,
    encoder: SiteEmbedder,
    seconds: float = SLICE_SECONDS,
    tell: Callable[[float], None] = lambda done: None,
) -> int:
    """Embed texts that have no vector yet, for about `seconds`; return how many were found.

    Less than a chunk at the end means that all are done. Stopping it anywhere loses one chunk at most; `tell`
    hears after each which share of the time is over.
    """
    deadline, done = time.monotonic() + seconds, 0
    # The hashes are in random order, so the texts that come first are a fair sample.
    waiting = _without_vector(project, encoder.fingerprint).order_by("-lane", "sha256")
    while texts := list(waiting.values_list("text", flat=True)[:CHUNK]):
        # NB: otherwise vectors that another process removed would never be made again, and this never ends.
        encoder.store.forget(encoder.fingerprint, [text_key(text) for text in texts])
        encoder.embed(texts)
        done += len(texts)
        left = deadline - time.monotonic()
        if left < 0:
            break
        tell(1.0 - left / seconds)
    return done


def missing(*, project: Project, encoder: SiteEmbedder) -> int:
    """Return how many texts have no vector yet."""
    return _without_vector(project, encoder.fingerprint).count()


def is_complete(*, project: Project, encoder: SiteEmbedder) -> bool:
    return not are_missing(project=project, fingerprint=encoder.fingerprint)


def are_missing(*, project: Project, fingerprint: str) -> bool:
    """Tell whether a text has no vector under the encoder of that fingerprint."""
    return _without_vector(project, fingerprint).exists()


def site_fingerprint() -> str:
    """Return the fingerprint of the site's encoder without loading it; "" while it has not been prepared."""
    folder = prepared_encoder(settings.ENCODER, Path(settings.ENCODER_ROOT))
    return folder.name if folder else ""


def remove_unused(digests: Collection[str]) -> None:
    """Remove the vectors of texts that no document of any project has any more."""
    if not digests:
        return
    # NB: with the projects named, the index of each project's texts is read; no index holds digests alone.
    everywhere = Document.objects.filter(project__in=list(Project.objects.values_list("pk", flat=True)))
    kept = set(everywhere.filter(sha256__in=digests).values_list("sha256", flat=True))
    Embedding.objects.filter(encoder__in=_encoders(), sha256__in=set(digests) - kept).delete()


def _encoders() -> list[str]:
    """Return the encoders that have vectors, each looked up behind the last in the index."""
    found = [""]
    names = Embedding.objects.order_by("encoder").values_list("encoder", flat=True)
    while name := names.filter(encoder__gt=found[-1]).first():
        found.append(name)
    return found[1:]


def _without_vector(project: Project, fingerprint: str) -> QuerySet[Document]:
    # NB: the encoder is named because the index begins with it; else each document reads all vectors.
    vectors = Embedding.objects.filter(encoder=fingerprint, sha256=OuterRef("sha256"))
    return Document.objects.filter(~Exists(vectors), project=project)
