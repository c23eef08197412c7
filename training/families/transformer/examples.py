"""Texts as token windows with their targets, and what is done where some labels are rare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.families.shared.batches import Window
from training.families.shared.imbalance import AUGMENT, UNDERSAMPLE, oversampled, reworded, undersampled
from training.preprocess.tokens import TokenPreprocessor
from training.types import FloatArray, IntArray

_SURE = 0.5  # from this score of a teacher on, a text counts as one of the label


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts, the windows of each, whether it goes on behind the last window, and targets (texts, labels)."""

    texts: tuple[str, ...]
    windows: tuple[tuple[Window, ...], ...]
    is_cut: tuple[bool, ...]
    targets: FloatArray

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, rows: IntArray) -> Examples:
        """Return some of the texts."""
        texts, windows, is_cut = (
            tuple(column[i] for i in rows) for column in (self.texts, self.windows, self.is_cut)
        )
        return Examples(texts, windows, is_cut, self.targets[rows])  # type: ignore[arg-type]

    def shares(self) -> dict[str, float]:
        """Return the shares of texts that have several windows, and that go on behind the last one."""
        return {
            "windowed_texts": sum(len(windows) > 1 for windows in self.windows) / len(self),
            "truncated_texts": sum(self.is_cut) / len(self),
        }


def tokenised(
    tokens: TokenPreprocessor, texts: tuple[str, ...], targets: FloatArray, tell: Callable[[], None]
) -> Examples:
    """Return the texts cut into windows; `tell` is called after each."""
    found = []
    for text in texts:
        found.append(tokens.tokens(text))
        tell()
    windows, is_cut = tuple(one.windows for one in found), tuple(one.is_cut for one in found)
    return Examples(texts, windows, is_cut, targets)


def rebalanced(
    learn: Examples, imbalance: str, tokens: TokenPreprocessor, rng: np.random.Generator
) -> Examples:
    """Return fewer texts of common labels, or reworded ones of rare labels on top, where that is wanted."""
    having = np.asarray(learn.targets > _SURE, np.float32)
    if imbalance == UNDERSAMPLE:
        return learn.rows(undersampled(having, rng))
    if imbalance != AUGMENT:
        return learn
    rows = oversampled(having, rng)
    texts = tuple(reworded(learn.texts[i], rng) for i in rows)
    more = tokenised(tokens, texts, learn.targets[rows], lambda: None)
    return Examples(
        learn.texts + more.texts,
        learn.windows + more.windows,
        learn.is_cut + more.is_cut,
        np.concatenate([learn.targets, more.targets]),
    )
