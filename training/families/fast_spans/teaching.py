"""What words are to learn: the tags that people's spans give them, or a teacher's probabilities."""

from __future__ import annotations

import numpy as np

from training.preprocess.words import Places
from training.spans import WordScores
from training.tagging.bio import spans_of, tag_count, tags_of
from training.tagging.decode import viterbi
from training.types import FloatArray, IntArray


def one_hot(tags: IntArray, labels: int) -> FloatArray:
    """Return shares (words, tags) of which the tag of each word has all."""
    return np.eye(tag_count(labels), dtype=np.float32)[tags]


def soft_tags(said: WordScores, places: Places, labels: int) -> FloatArray:
    """Return a teacher's probabilities (words, tags) of the words at these places (Hinton et al., 2015).

    Where it cuts the text into other words, those that its spans touch are tagged by them.
    """
    if [*said.places] != [*places]:
        columns: dict[str | int, int] = {str(j): j for j in range(labels)}
        spans = spans_of(viterbi(said.logs), said.places, [*map(str, columns)])
        return one_hot(tags_of(spans, places, columns), labels)
    grown = np.exp(said.logs - said.logs.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)
