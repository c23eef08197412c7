"""Which texts of a project are nearest to a vector: by the signs of vectors first, then by the vectors.

The signs of a project's vectors lie in a file that all processes map into memory, so that a million texts
take 64 MB once. A column is a document; its rows are the document's key, the start of its text's digest, and
the signs, 64 in a number. Columns are in the order of keys.
"""

from __future__ import annotations

import mmap
import time
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from django.conf import settings
from django.db.models import OuterRef, Subquery
from numpy.typing import NDArray

from annotate.models import Document, Embedding, Project
from annotate.services.among import among
from annotate.services.corpus.vector_store import READ, STORED
from training.types import FloatArray, ProgressCallback

SECONDS = 20.0  # after these a job gives way to others
HEAD = 2  # rows before the signs
CANDIDATES = 1_000  # the nearest by signs, which are compared by their vectors
NEAREST = 200  # of which so many are told
BLOCK = 16_384  # columns that are compared at once
CHUNK = 10_000  # rows that are read at once
WORD = np.dtype("<u8")
POPULATED = getattr(mmap, "MAP_POPULATE", 0)  # all pages at once, which Linux alone offers

Columns = NDArray[np.uint64]


def signs_of(vectors: FloatArray) -> Columns:
    """Return the signs of vectors (texts, dimension) as columns (dimension / 64, texts)."""
    packed = np.packbits(vectors > 0, axis=1)  # (texts, dimension / 8)
    packed = np.pad(packed, ((0, 0), (0, -packed.shape[1] % WORD.itemsize)))
    return np.ascontiguousarray(packed).view(WORD).T


def path_of(project: Project, fingerprint: str) -> Path:
    return Path(settings.BUNDLE_ROOT) / str(project.pk) / f"signs-{fingerprint}.npy"


def read(project: Project, fingerprint: str) -> Columns | None:
    """Map the file of a project into memory; None where there is none, or it is damaged and made anew."""
    try:
        with path_of(project, fingerprint).open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
            # NB: not np.load, whose map finds its pages one by one: that took a third of a look's time.
            mapped = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED | POPULATED, prot=mmap.PROT_READ)
            order: Literal["C", "F"] = "F" if is_fortran else "C"
            columns: Columns = np.frombuffer(mapped, dtype, offset=file.tell()).reshape(shape, order=order)
    except (OSError, ValueError, EOFError):
        return None
    is_ours = dtype == WORD and columns.ndim == 2 and columns.shape[0] > HEAD
    return columns if is_ours else None


def nearest(*, project: Project, fingerprint: str, vector: FloatArray) -> list[tuple[int, float]]:
    """Return the documents whose texts are nearest to a unit vector, with their cosines, best first."""
    columns = read(project, fingerprint)
    if columns is None:
        return []
    keys = columns[0, _closest(_distances(columns[HEAD:], signs_of(vector[None])[:, 0]))]
    # NB: read from the database, so that what was deleted since is not told, and a changed text as it is now.
    found = _vectors(project, fingerprint, keys.tolist())
    if not found:
        return []
    cosines = np.stack([stored for _pk, _digest, stored in found]) @ vector  # (candidates,)
    order = np.argsort(-cosines, kind="stable")[:NEAREST]
    return [(found[place][0], float(cosines[place])) for place in order]


def _distances(signs: Columns, query: Columns) -> NDArray[np.uint16]:
    """Return in how many signs each column of `signs` (words, documents) differs from `query` (words).

    NB: word by word in blocks that stay in the processor's cache, which takes a third of the time that a sum
    along the columns does.
    """
    distances = np.zeros(signs.shape[1], np.uint16)
    for start in range(0, signs.shape[1], BLOCK):
        here = distances[start : start + BLOCK]
        for row, word in zip(signs[:, start : start + BLOCK], query, strict=True):
            here += np.bitwise_count(row ^ word)
    return distances


def _closest(distances: NDArray[np.uint16]) -> NDArray[np.intp]:
    """Return the places of the smallest distances, no more than CANDIDATES.

    NB: counted by distance, of which there are few, and not partitioned, which takes ten times as long.
    """
    within = np.cumsum(np.bincount(distances))
    edge = np.searchsorted(within, CANDIDATES)
    nearer = np.flatnonzero(distances < edge)
    return np.concatenate([nearer, np.flatnonzero(distances == edge)[: CANDIDATES - len(nearer)]])


def update(*, project: Project, fingerprint: str, tell: ProgressCallback) -> bool:
    """Bring the file up to date for a while; return whether it holds every vector that there is.

    What was deleted or has changed leaves it. A worker that is killed leaves it as it was.
    """
    path = path_of(project, fingerprint)
    for other in set(path.parent.glob("signs-*.npy")) - {path}:
        other.unlink()  # of an encoder that was the site's before
    heads = _heads(project, fingerprint)
    before = read(project, fingerprint)
    if before is None:
        before = np.empty((HEAD, 0), WORD)
    kept = before[:, _is_among(before, heads)]
    new = heads[0, ~_is_among(heads, before)].tolist()
    if not new and kept.shape[1] == before.shape[1]:
        return True
    parts = [kept] if kept.shape[1] else []
    deadline = (
        time.monotonic() + SECONDS
    )  # NB: not before the look, which may take as long: it would go on for ever
    while new and time.monotonic() < deadline:
        found = _vectors(project, fingerprint, new[:READ])
        new = new[READ:]
        if found:
            keys = np.array([(pk, _start(digest)) for pk, digest, _vector in found], WORD).T
            parts.append(np.vstack([keys, signs_of(np.stack([vector for *_, vector in found]))]))
        tell("index", 1.0 - len(new) / heads.shape[1])
    _write(path, parts)
    return not new


def _heads(project: Project, fingerprint: str) -> Columns:
    """Return the heads (HEAD, documents) of all documents of a project whose texts have a vector.

    NB: both tables are read from end to end and compared here. To look a million digests up one by one took
    SQLite minutes, each time that the job goes on.
    """
    digests = Embedding.objects.filter(encoder=fingerprint).values_list("sha256", flat=True)
    stored = np.fromiter(map(_start, digests.iterator(chunk_size=CHUNK)), WORD)
    rows = project.documents.order_by("pk").values_list("pk", "sha256").iterator(chunk_size=CHUNK)
    flat = chain.from_iterable((pk, _start(digest)) for pk, digest in rows)
    heads: Columns = np.fromiter(flat, WORD).reshape(-1, HEAD).T
    return heads[:, np.isin(heads[1], stored)]


def _start(digest: str) -> int:
    return int(digest[:16], 16)


def _is_among(columns: Columns, others: Columns) -> NDArray[np.bool_]:
    """Tell for each column, by key, whether the others have it with the same digest."""
    if not others.shape[1]:
        return np.zeros(columns.shape[1], np.bool_)
    places = np.minimum(np.searchsorted(others[0], columns[0]), others.shape[1] - 1)
    same: NDArray[np.bool_] = (others[:HEAD, places] == columns[:HEAD]).all(axis=0)
    return same


def _vectors(project: Project, fingerprint: str, keys: list[int]) -> list[tuple[int, str, FloatArray]]:
    """Return key, digest and vector of those of the documents that are there and have a vector.

    NB: by keys alone, as SQLite would rather walk through all documents of the project.
    """
    stored = Embedding.objects.filter(encoder=fingerprint, sha256=OuterRef("sha256")).values("vector")
    documents = Document.objects.filter(pk__in=among(keys)).annotate(vector=Subquery(stored))
    return [
        (pk, digest, np.frombuffer(vector, STORED))
        for pk, digest, owner, vector in documents.values_list("pk", "sha256", "project", "vector")
        if owner == project.pk and vector is not None
    ]


def _write(path: Path, parts: list[Columns]) -> None:
    """Write the parts by one rename: who reads the file of before goes on with that."""
    if not parts:
        path.unlink(missing_ok=True)
        return
    columns = np.ascontiguousarray(np.hstack(parts))  # a look reads row by row
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        np.save(file, columns[:, np.argsort(columns[0], kind="stable")], allow_pickle=False)
    draft.replace(path)
