"""Keeps the vectors of words by the digest of their text, within a budget; what is gone is made again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.preprocess.word_encoder import Halves, WordEncoder, cut_key
from training.preprocess.words import Places
from training.types import TrainingError

BUDGET = 2 * 1024**3
"""Bytes of kept vectors: a word of three layers has 2.3 KB, so these are of 900,000 words."""
_CHUNK = 256  # texts between two writes, which is the most that a stopped run has to encode again


class WordFolder:
    """Vectors of words in a folder, which removes its oldest files where it would outgrow its budget.

    Each `put_many` adds two files, the second of which makes the first one known, so processes may share it.
    """

    def __init__(self, folder: Path, *, budget: int = BUDGET, scope: str = "") -> None:
        """Take the folder that the budget is of; the files of a `scope` lie apart, to be removed together."""
        self._folder = folder
        self._scope = folder / scope
        self._budget = budget
        self._places: dict[str, tuple[Path, int, int]] = {}
        self._read: set[Path] = set()

    def has(self, fingerprint: str, keys: Sequence[str]) -> NDArray[np.bool_]:
        """Tell (keys,) which vectors are there, without reading them."""
        self._look(fingerprint)
        there = {path for path, _start, _end in self._places.values() if path.is_file()}
        return np.array([key in self._places and self._places[key][0] in there for key in keys], bool)

    def get_many(self, fingerprint: str, keys: Sequence[str]) -> Mapping[str, Halves]:
        """Return the vectors (words, dimension) that are there, by key."""
        self._look(fingerprint)
        found: dict[str, Halves] = {}
        opened: dict[Path, Halves] = {}
        for key in keys:
            if key not in self._places:
                continue
            path, start, end = self._places[key]
            try:
                if path not in opened:
                    opened[path] = np.load(path, mmap_mode="r", allow_pickle=False)
                    os.utime(path)  # what is used is not the oldest
            except FileNotFoundError:
                del self._places[key]  # another process removed it
                continue
            except (OSError, ValueError) as error:
                raise TrainingError(
                    f"The vectors in {path} cannot be read ({error}). Delete the file."
                ) from error
            found[key] = np.array(opened[path][start:end])
        return found

    def put_many(self, fingerprint: str, vectors: Mapping[str, Halves]) -> None:
        """Keep vectors by key, as far as the budget allows it."""
        folder = self._scope / fingerprint
        size = sum(array.nbytes for array in vectors.values())
        if not vectors or size > self._budget:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._make_room(size)
        lengths = np.cumsum([0, *(len(array) for array in vectors.values())]).tolist()
        name = f"{next(iter(vectors))[:32]}-{os.getpid()}"
        scratch = folder / f".{name}.tmp"
        with scratch.open("wb") as file:
            np.save(file, np.concatenate(list(vectors.values())))
        scratch.replace(folder / f"{name}.npy")
        index = {key: [lengths[i], lengths[i + 1]] for i, key in enumerate(vectors)}
        scratch.write_text(json.dumps(index), encoding="utf-8")
        scratch.replace(folder / f"{name}.json")
        self._learn(folder / f"{name}.json")

    def _look(self, fingerprint: str) -> None:
        """Learn what this and other processes have written since the last look."""
        for index in sorted((self._scope / fingerprint).glob("*.json")):
            if index not in self._read:
                self._learn(index)

    def _learn(self, index: Path) -> None:
        try:
            content = json.loads(index.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        self._places |= {
            key: (index.with_suffix(".npy"), start, end) for key, (start, end) in content.items()
        }
        self._read.add(index)

    def _make_room(self, size: int) -> None:
        """Remove the files that were used longest ago until `size` bytes more fit the budget."""
        files = sorted(
            (path.stat().st_mtime, path.stat().st_size, path) for path in self._folder.rglob("*.npy")
        )
        used = sum(length for _time, length, _path in files)
        for _time, length, path in files:
            if used + size <= self._budget:
                return
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            self._read.discard(path.with_suffix(".json"))
            self._places = {key: at for key, at in self._places.items() if at[0] != path}
            used -= length


class CachedWordEncoder:
    """A word encoder that asks its folder first, and encodes and keeps only what is missing."""

    def __init__(
        self,
        encoder: WordEncoder,
        store: WordFolder,
        *,
        on_progress: Callable[[float], None] = lambda done: None,
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
        """The length of a word's vector."""
        return self._encoder.dimension

    @property
    def layers(self) -> int:
        """How many layers stand side by side in a vector."""
        return self._encoder.layers

    def has(self, keys: Sequence[str]) -> NDArray[np.bool_]:
        """Tell (keys,) which texts, by `cut_key`, need not be encoded."""
        return self._store.has(self.fingerprint, keys)

    def vectors(self, texts: Sequence[str], cuts: Sequence[Places]) -> list[Halves]:
        """Return the vectors (words, dimension) of each text."""
        keys = [cut_key(text, cut) for text, cut in zip(texts, cuts, strict=True)]
        known = dict(self._store.get_many(self.fingerprint, list(dict.fromkeys(keys))))
        missing = {key: i for i, key in enumerate(keys) if key not in known}
        new_keys = list(missing)
        for start in range(0, len(new_keys), _CHUNK):
            chunk = new_keys[start : start + _CHUNK]
            rows = [missing[key] for key in chunk]
            made = self._encoder.vectors([texts[i] for i in rows], [cuts[i] for i in rows])
            fresh = dict(zip(chunk, made, strict=True))
            self._store.put_many(self.fingerprint, fresh)
            known.update(fresh)
            self._on_progress((start + len(chunk)) / len(missing))
        return [known[key] for key in keys]
