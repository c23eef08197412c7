"""What `bench/labelling/keys.py` counts as keys, by the rules of the page."""

from __future__ import annotations

import numpy as np
import pytest

from annotate import hotkeys
from bench.labelling import keys
from bench.labelling.cards import Card

FINDER = [9] * 30
BEFORE = keys.Page(FINDER, has_likeliest=False, preselects=False)
AFTER = keys.Page(FINDER, has_likeliest=True, preselects=True)


def card(truth: tuple[int, ...], best: list[int], decided: tuple[int, ...] = ()) -> Card:
    scores = np.zeros(30, np.float32)
    scores[best] = np.linspace(0.9, 0.5, len(best))
    return Card(50, truth, scores, decided)


def test_it_counts_with_the_keys_that_the_page_has() -> None:
    assert len(hotkeys.USUAL) == keys.HOTKEYS
    assert hotkeys.LIKELIEST == keys.LIKELIEST


@pytest.mark.parametrize(
    ("truth", "before", "after"),
    [(25, 1, 1), (26, 9, 1), (29, 9, 1), (24, 9, 9), (3, 1, 1)],
    ids=["best", "second", "fifth", "sixth", "own key"],
)
def test_one_label_is_one_key_where_it_is_likely_or_has_its_own(truth: int, before: int, after: int) -> None:
    shown = card((truth,), [25, 26, 27, 28, 29, 24])
    assert (BEFORE.single(shown), AFTER.single(shown)) == (before, after)


@pytest.mark.parametrize(
    ("truth", "decided", "before", "after"),
    [
        ((25, 26), (25, 26), 2, 1),  # Enter took it over and Enter saved it; now it is on
        ((25,), (25, 26), 10, 2),  # a choice of one's own replaces what is suggested
        ((25, 26, 1), (25, 26), 3, 3),  # taken over, one more, saved
        ((), (25,), 1, 1),
        ((24,), (), 10, 10),
    ],
)
def test_several_labels_cost_what_has_to_be_changed(
    truth: tuple[int, ...], decided: tuple[int, ...], before: int, after: int
) -> None:
    shown = card(truth, [25, 26, 27, 28, 29, 24], decided)
    assert (BEFORE.multi(shown), AFTER.multi(shown)) == (before, after)


def test_a_holdout_card_has_the_finder_and_the_labels_own_keys() -> None:
    assert AFTER.without_suggestion([25, 1], is_single=False) == 11
    assert AFTER.without_suggestion([25], is_single=True) == 9
