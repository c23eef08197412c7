"""Stores vectors by the digest of their text and the fingerprint of their encoder, so each is made once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from training.preprocess.windows import Reading, ReadsInWindows
from training.types import Embedder, FloatArray, TrainingError

_CHUNK = 256  # texts between two writes, which is the most that a stopped run has to embed again


class VectorStore(Protocol):
    """Where vectors are kept; the site uses its database, the command line a folder."""

    def get_many(self, fingerprint: str, keys: Sequence[str]) -> Mapping[str, FloatArray]:
        """Return the vectors (dimension,) that are there, by text key."""

    def put_many(self, fingerprint: str, vectors: Mapping[str, FloatArray]) -> None:
        """Keep vectors by text key; a key that is already there may stay as it is."""


def text_key(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def knows_labels(embedder: Embedder | None) -> bool:
    """Tell whether an encoder was tuned on labelled texts; a model on it must not be judged on those."""
    return bool(getattr(embedder, "knows_labels", False))


class CachedEmbedder:
    """An embedder that asks its store first, and embeds and stores only what is missing."""

    def __init__(
        self,
        encoder: Embedder,
        store: VectorStore,
        *,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        self._encoder = encoder
        self._store = store
        self._on_progress = on_progress

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the encoder behind the store."""
        return self._encoder.fingerprint

    @property
    def dimension(self) -> int:
        """The length of every vector."""
        return self._encoder.dimension

    @property
    def precision(self) -> str:
        """The precision of the encoder behind the store, where it tells one."""
        return str(getattr(self._encoder, "precision", "fp32"))

    @property
    def note(self) -> str:
        """The note of the encoder behind the store about its precision."""
        return str(getattr(self._encoder, "note", ""))

    @property
    def knows_labels(self) -> bool:
        """Whether the encoder behind the store was tuned on labelled texts."""
        return knows_labels(self._encoder)

    def reading(self, texts: Sequence[str]) -> Reading | None:
        """Return how the encoder behind the store reads texts, None where it cannot tell."""
        return self._encoder.reading(texts) if isinstance(self._encoder, ReadsInWindows) else None

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return unit vectors (texts, dimension)."""
        keys = [text_key(text) for text in texts]
        known = dict(self._store.get_many(self.fingerprint, list(dict.fromkeys(keys))))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        new_keys = list(missing)
        for start in range(0, len(missing), _CHUNK):
            chunk = new_keys[start : start + _CHUNK]
            made = self._encoder.embed([missing[key] for key in chunk])
            fresh = dict(zip(chunk, made, strict=True))
            self._store.put_many(self.fingerprint, fresh)
            known.update(fresh)
            if self._on_progress:
                self._on_progress((start + len(chunk)) / len(missing))
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for i, key in enumerate(keys):
            vectors[i] = known[key]
        return vectors


class FolderStore:
    """Vectors in a folder: each `put_many` adds one `.npz` file by one rename, so processes may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[Path] = set()
        self._vectors: dict[tuple[str, str], FloatArray] = {}

    def get_many(self, fingerprint: str, keys: Sequence[str]) -> Mapping[str, FloatArray]:
        """Return what is there, reading files that appeared since the last call."""
        for path in sorted((self._folder / fingerprint).glob("*.npz")):
            if path in self._read:
                continue
            try:
                with np.load(path, allow_pickle=False) as content:
                    names, vectors = content["keys"], content["vectors"]
            except (OSError, ValueError, KeyError) as error:
                raise TrainingError(
                    f"The vectors in {path} cannot be read ({error}). Delete the file."
                ) from error
            self._vectors.update(
                {(fingerprint, name.decode()): vector for name, vector in zip(names, vectors, strict=True)}
            )
            self._read.add(path)
        found = ((key, self._vectors.get((fingerprint, key))) for key in keys)
        return {key: vector for key, vector in found if vector is not None}

    def put_many(self, fingerprint: str, vectors: Mapping[str, FloatArray]) -> None:
        """Write one file with the vectors."""
        if not vectors:
            return
        folder = self._folder / fingerprint
        folder.mkdir(parents=True, exist_ok=True)
        keys = list(vectors)
        scratch = folder / f".{os.getpid()}.tmp"
        with scratch.open("wb") as file:
            np.savez(file, keys=np.array(keys, dtype="S64"), vectors=np.stack([vectors[key] for key in keys]))
        target = folder / f"{text_key(''.join(keys))[:32]}.npz"
        scratch.replace(target)
        self._read.add(target)
        self._vectors.update({(fingerprint, key): vectors[key] for key in keys})
