"""The best tags under BIO rules, and how likely exactly a span is: Viterbi and forward-backward, NumPy only.

A label may go on only after its own tags; everything else may follow everything. So a step costs as much as
there are tags, not their square.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.tagging.bio import runs_of
from training.types import FloatArray, IntArray

Logs = NDArray[np.float64]
_NEVER = -1e30
_AT_ONCE = 256  # texts
_WORDS_AT_ONCE = 50_000  # with the padding; of 13 labels they take 20 MB


def log_softmax(logits: FloatArray) -> Logs:
    """Return log probabilities (words, tags) of what a model gives."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True, initial=_NEVER)
    found: Logs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def biased(logs: Logs, bias: FloatArray | float) -> Logs:
    """Return log probabilities whose O is lowered by `bias`, a number, or raised tags by one (labels,) each.

    It is the threshold of a decoder: unlike a cut on finished spans, it can add some.
    """
    moved = logs.copy()
    if np.ndim(bias) == 0:
        moved[:, 0] -= bias
    else:
        moved[:, 1:] += np.repeat(np.asarray(bias, np.float64), 2)
    return moved


def viterbi(logs: Logs) -> IntArray:
    """Return the likeliest tags (words,) that follow BIO rules."""
    return viterbi_of_all([logs])[0]


def viterbi_of_all(texts: Sequence[Logs]) -> list[IntArray]:
    """Return the likeliest tags (words,) of each text's log probabilities (words, tags)."""
    found: list[IntArray] = [np.zeros(len(logs), np.int64) for logs in texts]
    order = sorted((i for i, logs in enumerate(texts) if len(logs)), key=lambda i: len(texts[i]))
    for rows in _groups(order, texts):
        for i, tags in zip(rows, _viterbi([texts[i] for i in rows]), strict=True):
            found[i] = tags
    return found


def _groups(order: Sequence[int], texts: Sequence[Logs]) -> Iterator[list[int]]:
    """Yield rows that are decoded together; `order` has the shorter texts first.

    NB: all are as long as the longest of them meanwhile, so a book among tweets has to stand alone.
    """
    rows: list[int] = []
    for i in order:
        if len(rows) == _AT_ONCE or (rows and (len(rows) + 1) * len(texts[i]) > _WORDS_AT_ONCE):
            yield rows
            rows = []
        rows.append(i)
    if rows:
        yield rows


def _viterbi(texts: Sequence[Logs]) -> list[IntArray]:
    """Decode texts side by side, the shorter ones followed by words that are surely in no span."""
    lengths = [len(logs) for logs in texts]
    longest, tags = max(lengths), texts[0].shape[1]
    logs = np.full((len(texts), longest, tags), _NEVER)  # (texts, words, tags)
    logs[:, :, 0] = 0
    for row, own in zip(logs, texts, strict=True):
        row[: len(own)] = own
    begins, inside, every = slice(1, tags, 2), slice(2, tags, 2), np.arange(len(texts))
    back = np.zeros((longest, len(texts), tags), np.int64)
    best = logs[:, 0].copy()
    best[:, inside] = _NEVER
    own_begin = np.arange(1, tags, 2)
    for i in range(1, longest):
        top = best.argmax(axis=1)
        back[i] = top[:, None]
        stays = best[:, inside] > best[:, begins]
        back[i, :, inside] = own_begin + stays
        grown = np.where(stays, best[:, inside], best[:, begins])
        best = logs[:, i] + best[every, top][:, None]
        best[:, inside] = logs[:, i, inside] + grown
    path = np.zeros((len(texts), longest), np.int64)
    path[:, -1] = best.argmax(axis=1)
    for i in range(longest - 1, 0, -1):
        path[:, i - 1] = back[i, every, path[:, i]]
    return [row[:length] for row, length in zip(path, lengths, strict=True)]


@dataclass(frozen=True, slots=True)
class Lattice:
    """All that a text's tags can be under BIO rules: log sums from the left, from the right, and of all."""

    logs: Logs  # (words, tags)
    forward: Logs  # (words, tags)
    backward: Logs  # (words, tags)
    total: float

    @classmethod
    def of(cls, logs: Logs) -> Lattice:
        """Sum up a text's log probabilities (words, tags); it has to have a word."""
        words, tags = logs.shape
        begins, inside = slice(1, tags, 2), slice(2, tags, 2)
        forward, backward = logs.copy(), np.zeros_like(logs)
        forward[0, inside] = _NEVER
        for i in range(1, words):
            before = forward[i - 1]
            forward[i] += _log_sum(before)
            forward[i, inside] = logs[i, inside] + np.logaddexp(before[begins], before[inside])
        for i in range(words - 2, -1, -1):
            after = logs[i + 1] + backward[i + 1]
            free = _log_sum(after[_free(tags)])
            backward[i] = free
            grown = np.logaddexp(free, after[inside])
            backward[i, begins] = backward[i, inside] = grown
        return cls(logs, forward, backward, _log_sum(forward[-1]))

    def span(self, first: int, last: int, label: int) -> float:
        """Return the probability of exactly this span: it begins, goes on and ends there."""
        begin, inside = 1 + 2 * label, 2 + 2 * label
        found = self.forward[first, begin] + self.logs[first + 1 : last + 1, inside].sum()
        if last + 1 < len(self.logs):
            after = self.logs[last + 1] + self.backward[last + 1]
            found += _log_sum(after[_free(len(after))])
        return float(np.exp(min(found - self.total, 0.0)))


def span_probabilities(logs: Logs, tags: Sequence[int] | IntArray) -> list[float]:
    """Return how likely each span of the tags (words,) is, in their order."""
    runs = runs_of(tags)
    if not runs:
        return []
    lattice = Lattice.of(logs)
    return [lattice.span(*run) for run in runs]


def _free(tags: int) -> list[int]:
    """Return the tags that may follow every other: O and all beginnings."""
    return [0, *range(1, tags, 2)]


def _log_sum(values: Logs) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))
