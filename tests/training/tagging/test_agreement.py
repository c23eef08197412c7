"""Alpha of words against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.tagging.agreement import token_alpha


def test_it_is_the_alpha_of_krippendorffs_own_example() -> None:
    # Two observers and ten units with two values, of his introduction: 0.095.
    one, other = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert token_alpha([np.array([one, other])], 1) == pytest.approx(0.095, abs=5e-4)
    halves = [np.array([one[:4], other[:4]]), np.array([one[4:], other[4:]])]
    assert token_alpha(halves, 1) == pytest.approx(0.095, abs=5e-4)


def test_three_people_count_as_much_a_word_as_two() -> None:
    # A word of three values, two of them alike: of its six pairs two are alike, and each counts a half.
    texts = [np.array([[1], [1], [2]]), np.array([[0], [0]])]
    assert token_alpha(texts, 2) == pytest.approx(1 - (5 - 1) * (5 - 3) / (5**2 - 2**2 - 2**2 - 1))


def test_where_all_words_have_the_same_value_there_is_no_figure() -> None:
    assert token_alpha([np.zeros((2, 5), np.int64)], 1) is None
    assert token_alpha([], 1) is None
