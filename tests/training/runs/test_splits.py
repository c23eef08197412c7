from __future__ import annotations

import hashlib
import unicodedata

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from training.splits import assign_folds, half, lane, split_key
from training.tasks import SINGLE
from training.types import Dataset, Task


@pytest.mark.parametrize(
    "other",
    ["card lost", "CARD LOST!!", "  Card\tlost\n", "card 12 lost?", "“Card” – lost…", "ｃａｒｄ lost"],
)
def test_near_duplicates_share_a_key(other: str) -> None:
    assert split_key(other) == split_key("Card lost")


@pytest.mark.parametrize(
    ("one", "other"),
    [("card", "cart"), ("हिन्दी", "हन्द"), ("😀", "😡"), ("", "1"), ("1", "2"), ("élan", "elan")],
)
def test_different_texts_have_different_keys(one: str, other: str) -> None:
    assert split_key(one) != split_key(other)


def test_a_key_takes_any_text_that_python_holds() -> None:
    assert len(split_key("\ud800")) == 64


def test_about_the_wanted_share_is_held_out() -> None:
    lanes = [lane(split_key(f"text {chr(97 + i % 26)}{'x' * (i // 26)}"), 0.1) for i in range(3_000)]
    assert 0.07 < lanes.count("holdout") / len(lanes) < 0.13


def test_a_larger_share_only_adds_to_the_holdout() -> None:
    keys = [f"{i:064x}" for i in range(500)]
    small, large = ({key for key in keys if lane(key, share) == "holdout"} for share in (0.1, 0.3))
    assert small < large


def test_nothing_and_everything_can_be_held_out() -> None:
    keys = [f"{i:064x}" for i in range(50)]
    assert {lane(key, 0.0) for key in keys} == {"pool"}
    assert {lane(key, 1.0) for key in keys} == {"holdout"}


def test_halves_are_even_within_the_holdout() -> None:
    held = [key for key in (f"{i:064x}" for i in range(20_000)) if lane(key, 0.1) == "holdout"]
    share = [half(key) for key in held].count("tuning") / len(held)
    assert 0.45 < share < 0.55


def test_a_split_never_changes() -> None:
    # NB: stored documents were split by these values; another key would move them between the lanes.
    key = split_key("Card lost")
    assert key == "f4e49b8da50a0800006829ff7f78db43649a9a2c835b29531023760e3ed701f1"
    assert (lane(key, 0.1), half(key)) == ("pool", "reporting")


def test_folds_are_even_and_hold_every_label(task: Task) -> None:
    data = make_dataset(task, 90)
    folds = assign_folds(data, 3, np.random.default_rng(0))
    assert set(folds.tolist()) == {0, 1, 2}
    for fold in range(3):
        assert data.targets[folds == fold].any(axis=0).all()


def test_duplicates_share_a_fold() -> None:
    data = make_dataset(SINGLE, 30)
    doubled = Dataset(
        data.schema,
        data.texts + tuple(text.upper() + "!" for text in data.texts),
        np.concatenate([data.targets, data.targets]),
    )
    folds = assign_folds(doubled, 3, np.random.default_rng(0))
    np.testing.assert_array_equal(folds[:30], folds[30:])


def test_the_short_way_for_ascii_gives_the_key_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    texts = [chr(code) for code in range(128)]
    texts += ["".join(map(chr, rng.integers(0, most, 40))) for most in (128, 256, 0x500) for _ in range(100)]
    for text in texts:
        folded = unicodedata.normalize("NFKC", text).casefold()
        kept = "".join(char for char in folded if unicodedata.category(char)[0] in "LM")
        assert split_key(text) == hashlib.sha256((kept or text).encode()).hexdigest()
