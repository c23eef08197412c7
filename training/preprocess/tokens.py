"""Turns texts into token windows for a fine-tuned transformer; imports nothing heavier than tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from tokenizers import Tokenizer

from training.preprocess.protocol import Feed
from training.types import Embedder, TrainingError

TOKENIZER_FILE = "tokenizer.json"
FILE = "tokens.json"
_CHARACTERS_A_TOKEN = 20  # more than real words have, so text beyond it would not fit the windows anyway


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How a text is cut: windows of `max_length` tokens (special ones included) that share `overlap`."""

    max_length: int = 128
    overlap: int = 32
    max_windows: int = 16
    lowercase: bool = False
    prompt: str = ""  # put before every text, for checkpoints that were trained with it


@dataclass(frozen=True, slots=True)
class Tokens:
    """The windows of one text, all of one length; `is_cut` where the text is longer than all of them."""

    windows: tuple[tuple[int, ...], ...]
    is_cut: bool


class TokenPreprocessor:
    """Cuts texts into overlapping windows of token ids; the graph averages the windows' probabilities.

    The last window ends where the text ends, so all windows of a text have one length and need no padding:
    dynamic quantization takes its ranges over the whole input, padding included.
    """

    def __init__(self, tokenizer: Tokenizer, settings: TokenSettings) -> None:
        """Take a tokenizer, whose own truncation and padding are switched off."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.settings = settings
        self._tokenizer = tokenizer
        # What the tokenizer puts before and behind a text, such as [CLS] and [SEP].
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        whole = tokenizer.encode("a").ids
        before = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
        self._before, self._after = tuple(whole[:before]), tuple(whole[before + len(bare) :])
        self._room = settings.max_length - len(self._before) - len(self._after)
        if not 0 <= settings.overlap < self._room or settings.max_windows < 1:
            raise TrainingError(
                f"Windows of {settings.max_length} tokens cannot share {settings.overlap}: "
                "choose a larger max_length or a smaller overlap."
            )

    def tokens(self, text: str) -> Tokens:
        """Return the windows of one text; an empty one has one window without words."""
        most = self._room * self.settings.max_windows * _CHARACTERS_A_TOKEN
        read = self.settings.prompt + text[:most]
        if not read.isascii():  # NB: half of a surrogate pair is no character, and tokenizers refuse it
            read = read.encode("utf-8", "replace").decode("utf-8")
        if self.settings.lowercase:
            read = read.lower()
        ids = self._tokenizer.encode(read, add_special_tokens=False).ids
        last = max(0, len(ids) - self._room)
        starts = [*range(0, last, self._room - self.settings.overlap), last]
        kept = starts[: self.settings.max_windows]
        windows = (tuple(ids[start : start + self._room]) for start in kept)
        # NB: without special tokens an empty text has no tokens at all, and the graph needs one.
        wrapped = tuple((*self._before, *window, *self._after) or (0,) for window in windows)
        return Tokens(wrapped, len(text) > most or len(kept) < len(starts))

    def feeds(self, texts: Sequence[str], *, embedder: Embedder | None = None) -> Iterator[Feed]:
        """Yield `input_ids` (windows, tokens) for each text; `embedder` is not used."""
        for text in texts:
            yield {"input_ids": np.array(self.tokens(text).windows, np.int64)}

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the settings."""
        self._tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
        (folder / FILE).write_text(json.dumps(asdict(self.settings), indent=1), "utf-8")

    @classmethod
    def load(cls, folder: Path, *, encoder: Path | None = None, threads: int = 1) -> Self:
        """Read what `save` wrote; `encoder` and `threads` are not used."""
        settings = TokenSettings(**json.loads((folder / FILE).read_text("utf-8")))
        return cls(read_tokenizer(folder / TOKENIZER_FILE), settings)


def read_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json`; raises `ValueError` where it is missing or not one."""
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare exceptions only
        raise ValueError(f"{path} cannot be read as a tokenizer ({error})") from error
