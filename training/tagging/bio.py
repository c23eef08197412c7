"""Spans as BIO tags of words: tag 0 is O, label k has the tags 1 + 2k (it begins) and 2 + 2k (it goes on)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from training.spans import flattened
from training.types import IntArray, Span

Places = Sequence[tuple[int, int]]  # of words, in order


def tag_count(labels: int) -> int:
    """Return how many tags so many labels make."""
    return 1 + 2 * labels


def tags_of(spans: Sequence[Span], places: Places, columns: Mapping[str | int, int]) -> IntArray:
    """Return the tag (words,) of each word; `columns` numbers the labels.

    A span tags every word that it touches. Of spans that overlap the longest counts, as a word has one tag.
    """
    tags = np.zeros(len(places), np.int64)
    starts, ends = np.array(places, np.int64).reshape(-1, 2).T
    for span in flattened(spans):
        first = int(np.searchsorted(ends, span.start, side="right"))
        after = int(np.searchsorted(starts, span.end, side="left"))
        # A word that two spans share is the first one's.
        while first < after and tags[first]:
            first += 1
        if first < after:
            tags[first:after] = 2 + 2 * columns[span.label]
            tags[first] -= 1
    return tags


def spans_of(tags: Sequence[int] | IntArray, places: Places, keys: Sequence[str]) -> tuple[Span, ...]:
    """Return the spans of tags that follow BIO rules."""
    return tuple(Span(places[first][0], places[last][1], keys[label]) for first, last, label in runs_of(tags))


def runs_of(tags: Sequence[int] | IntArray) -> list[tuple[int, int, int]]:
    """Return first word, last word and label of each span of tags that follow BIO rules."""
    runs: list[tuple[int, int, int]] = []
    for i, tag in enumerate(map(int, tags)):
        if tag == 0:
            continue
        label, goes_on = divmod(tag - 1, 2)
        if goes_on:
            first, _last, _label = runs.pop()
            runs.append((first, i, label))
        else:
            runs.append((i, i, label))
    return runs
