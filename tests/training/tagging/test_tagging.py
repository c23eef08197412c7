"""Tags and decoding, held against all sequences of a short text written out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.tagging import decode
from training.tagging.bio import runs_of, spans_of, tags_of
from training.tagging.decode import Lattice, biased, log_softmax, span_probabilities, viterbi
from training.types import Span

KEYS = ("per", "loc")
COLUMNS = {key: j for j, key in enumerate(KEYS)}
PLACES = [(0, 2), (3, 5), (5, 6), (7, 9)]


def allowed(tags: tuple[int, ...]) -> bool:
    return all(
        tag == 0 or tag % 2 or before in (tag, tag - 1) for before, tag in zip((0, *tags), tags, strict=False)
    )


def sequences(words: int, tags: int) -> list[tuple[int, ...]]:
    return [found for found in product(range(tags), repeat=words) if allowed(found)]


LOGITS = st.integers(0, 10_000).map(
    lambda seed: np.random.default_rng(seed).normal(0, 2, (4, 5)).astype(np.float32)
)


@settings(deadline=None)
@given(LOGITS)
def test_the_best_tags_are_those_of_all_that_are_allowed(logits: np.ndarray) -> None:
    logs = log_softmax(logits)
    expected = max(sequences(4, 5), key=lambda tags: sum(logs[i, tag] for i, tag in enumerate(tags)))
    assert tuple(viterbi(logs)) == expected


@settings(deadline=None)
@given(LOGITS)
def test_a_span_is_as_likely_as_all_tags_that_have_exactly_it(logits: np.ndarray) -> None:
    logs = log_softmax(logits)
    weights = {tags: np.exp(sum(logs[i, tag] for i, tag in enumerate(tags))) for tags in sequences(4, 5)}
    total, lattice = sum(weights.values()), Lattice.of(logs)
    for run in {run for tags in weights for run in runs_of(tags)}:
        share = sum(weight for tags, weight in weights.items() if run in runs_of(tags)) / total
        assert lattice.span(*run) == pytest.approx(share)


def test_without_words_or_spans_nothing_is_likely() -> None:
    nothing = log_softmax(np.zeros((0, 5), np.float32))
    assert viterbi(nothing).tolist() == []
    assert span_probabilities(nothing, []) == []
    assert span_probabilities(log_softmax(np.zeros((2, 5), np.float32)), [0, 0]) == []


def test_a_bias_lowers_nothing_there_or_raises_labels() -> None:
    logs = log_softmax(np.zeros((1, 5), np.float32))
    assert (biased(logs, 1.0) - logs).round(6).tolist() == [[-1, 0, 0, 0, 0]]
    assert (biased(logs, np.array([1.0, 2.0])) - logs).round(6).tolist() == [[0, 1, 1, 2, 2]]


@given(st.lists(st.sampled_from(range(5)), min_size=4, max_size=4).map(tuple).filter(allowed))
def test_spans_of_tags_give_the_same_tags(tags: tuple[int, ...]) -> None:
    assert tuple(tags_of(spans_of(tags, PLACES, KEYS), PLACES, COLUMNS)) == tags


def test_a_span_tags_every_word_that_it_touches_and_a_word_has_one_tag() -> None:
    spans = [Span(1, 4, "per"), Span(4, 6, "loc")]
    assert tags_of(spans, PLACES, COLUMNS).tolist() == [1, 2, 3, 0]
    assert tags_of([Span(0, 9, "per"), Span(3, 5, "loc")], PLACES, COLUMNS).tolist() == [1, 2, 2, 2]
    assert tags_of([Span(2, 3, "per")], PLACES, COLUMNS).tolist() == [0, 0, 0, 0]


def test_texts_of_any_length_are_decoded_as_alone_and_a_long_one_makes_no_other_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together: list[list[int]] = []
    decoded = decode._viterbi

    def watched(texts: Sequence[decode.Logs]) -> list[np.ndarray]:
        together.append([len(logs) for logs in texts])
        return decoded(texts)

    monkeypatch.setattr(decode, "_viterbi", watched)
    monkeypatch.setattr(decode, "_WORDS_AT_ONCE", 8)
    rng = np.random.default_rng(0)
    texts = [np.log(rng.dirichlet(np.ones(5), words)) for words in (2, 30, 0, 2, 3, 2)]
    found = decode.viterbi_of_all(texts)
    assert together == [[2, 2, 2], [3], [30]]
    for logs, tags in zip(texts, found, strict=True):
        np.testing.assert_array_equal(tags, decode.viterbi_of_all([logs])[0])
