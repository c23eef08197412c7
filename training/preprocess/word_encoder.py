"""Words to vectors by several layers of a frozen encoder; imports nothing heavier than onnxruntime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from training.preprocess.broken import BROKEN_GRAPH
from training.preprocess.encoder import MODEL_FILE, TOKENIZER_FILE, file_checksum
from training.preprocess.tokens import read_tokenizer
from training.preprocess.words import Places
from training.types import TrainingError

Halves = NDArray[np.float16]
CONFIG_FILE = "word_encoder.json"
MAX_WORDS = 20_000
"""Words of one text that are read; a model says nothing of those behind them."""
_UNREADABLE: tuple[type[Exception], ...] = (*BROKEN_GRAPH, OSError, ValueError, KeyError, TypeError)
_AT_ONCE = 8  # windows of equal length in one run: more of them no longer fit the processor's cache
_LONGEST_WORD = 100  # characters of a word that are read, as tokenizers of this kind give up on longer ones


class WordEncoder(Protocol):
    """Turns the words of texts into vectors; the same text and cut always give the same vectors."""

    @property
    def fingerprint(self) -> str:
        """The checksum of the graph that the vectors come from."""

    @property
    def dimension(self) -> int:
        """The length of a vector, all layers side by side."""

    @property
    def layers(self) -> int:
        """How many layers stand side by side in it."""

    def vectors(self, texts: Sequence[str], cuts: Sequence[Places]) -> list[Halves]:
        """Return the vectors (words, dimension) of each text, whose words lie at the places of its cut."""


@dataclass(frozen=True, slots=True)
class WordEncoderConfig:
    """The content of `word_encoder.json`."""

    name: str
    dimension: int  # of one layer
    layers: tuple[int, ...]
    max_length: int  # pieces in a window, the special ones included
    overlap: int = 32


@dataclass(frozen=True, slots=True)
class _Window:
    """Pieces of a text that are read at once, and to which word each of them belongs, -1 to none."""

    text: int
    ids: tuple[int, ...]
    words: tuple[int, ...]
    near_edge: tuple[int, ...]  # how far each piece is from the nearer end of what the window cuts


class OnnxWordEncoder:
    """An exported encoder on the CPU; satisfies `WordEncoder`.

    Windows of equal length are run together, so none is padded. A word's vector is the mean over its pieces;
    in a long text it comes from the window that shows most around it.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.folder = folder
        try:
            content = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
            self.config = WordEncoderConfig(**content | {"layers": tuple(content["layers"])})
            options = ort.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            # NB: threads that wait by spinning would take cores away from other processes of this machine.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
            providers = ["CPUExecutionProvider"]
            self._session = ort.InferenceSession(str(folder / MODEL_FILE), options, providers=providers)
            self._tokenizer = read_tokenizer(folder / TOKENIZER_FILE)
        except _UNREADABLE as error:
            raise TrainingError(
                f"The word encoder at {folder} cannot be opened ({error}). Prepare it again."
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        wrapped = self._tokenizer.encode("a")
        inside = [i for i, word in enumerate(wrapped.word_ids) if word is not None]
        self._before = tuple(wrapped.ids[: inside[0]])
        self._after = tuple(wrapped.ids[inside[-1] + 1 :])
        self._fingerprint = file_checksum(folder / MODEL_FILE)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the encoder's graph: vectors of different fingerprints must never be mixed."""
        return self._fingerprint

    @property
    def dimension(self) -> int:
        """The length of a word's vector."""
        return self.config.dimension * len(self.config.layers)

    @property
    def layers(self) -> int:
        """How many layers stand side by side in a vector."""
        return len(self.config.layers)

    def vectors(self, texts: Sequence[str], cuts: Sequence[Places]) -> list[Halves]:
        """Return the vectors (words, dimension) of each text; a word without pieces has zeros."""
        found = [np.zeros((len(cut), self.dimension), np.float16) for cut in cuts]
        seen = [np.full(len(cut), -1, np.int64) for cut in cuts]  # how central the word was
        windows = [
            window
            for i, (text, cut) in enumerate(zip(texts, cuts, strict=True))
            for window in self._windows(i, text, cut)
        ]
        by_length = sorted(range(len(windows)), key=lambda k: (len(windows[k].ids), k))
        for group in _equal_groups(by_length, windows):
            hidden = self._run([windows[k].ids for k in group])
            for k, rows in zip(group, hidden, strict=True):
                _gather(windows[k], rows, found[windows[k].text], seen[windows[k].text])
        return found

    def _windows(self, text_row: int, text: str, cut: Places) -> Iterator[_Window]:
        """Yield the windows of a text, the last of which ends where the text does."""
        words = [readable(text[start : min(end, start + _LONGEST_WORD)]) for start, end in cut[:MAX_WORDS]]
        if not words:
            return
        encoded = self._tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False)
        ids, owners = encoded.ids, encoded.word_ids
        room = self.config.max_length - len(self._before) - len(self._after)
        last = max(0, len(ids) - room)
        for start in [*range(0, last, room - self.config.overlap), last]:
            end = min(start + room, len(ids))
            near = tuple(
                min(
                    k - start if start else len(ids),
                    end - 1 - k if end < len(ids) else len(ids),
                )
                for k in range(start, end)
            )
            owned = tuple(-1 if owners[k] is None else owners[k] for k in range(start, end))
            yield _Window(text_row, tuple(ids[start:end]), owned, near)

    def _run(self, windows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return what the graph gives for the pieces of each window, (windows, pieces, dimension)."""
        if not windows[0]:
            return np.zeros((len(windows), 0, self.dimension), np.float32)
        ids = np.array([(*self._before, *window, *self._after) for window in windows], np.int64)
        hidden: NDArray[np.float32] = self._session.run(None, {"input_ids": ids})[0]
        return hidden[:, len(self._before) : ids.shape[1] - len(self._after)]


def _equal_groups(order: Sequence[int], windows: Sequence[_Window]) -> Iterator[list[int]]:
    group: list[int] = []
    for k in order:
        if group and (len(group) == _AT_ONCE or len(windows[group[0]].ids) != len(windows[k].ids)):
            yield group
            group = []
        group.append(k)
    if group:
        yield group


def _gather(window: _Window, rows: NDArray[np.float32], found: Halves, seen: NDArray[np.int64]) -> None:
    """Put the means over the words' pieces where this window shows more around a word than those before."""
    owners = np.array(window.words, np.int64)
    near = np.array(window.near_edge, np.int64)
    words, starts = np.unique(owners, return_index=True)
    for word, start in zip(words.tolist(), starts.tolist(), strict=True):
        if word < 0:
            continue
        end = start
        while end < len(owners) and owners[end] == word:
            end += 1
        central = int(near[start:end].min())
        if central > seen[word]:
            seen[word] = central
            found[word] = np.clip(rows[start:end].mean(axis=0), -65_000, 65_000)  # what a half can hold


def readable(word: str) -> str:
    """Return the word as a tokenizer takes it: half of a surrogate pair is no character."""
    return word if word.isascii() else word.encode("utf-8", "replace").decode("utf-8")


def write_config(config: WordEncoderConfig, folder: Path) -> None:
    """Write `word_encoder.json`."""
    (folder / CONFIG_FILE).write_text(json.dumps(asdict(config), indent=1, sort_keys=True), encoding="utf-8")


def cut_key(text: str, cut: Places) -> str:
    """Return the digest by which the vectors of a text, cut in one way, are kept."""
    edges = np.array(cut, np.int64).tobytes()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") + b"\0" + edges).hexdigest()
