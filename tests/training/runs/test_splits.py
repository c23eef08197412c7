from __future__ import annotations

import hashlib
import unicodedata

import numpy as np
import pytest

from tests.training.conftest import make_dataset
from training.splits import assign_folds, half, halves, hold_out, split_key
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


def singles(count: int, first: int = 0) -> dict[str, int]:
    return {split_key(f"text {chr(97 + i % 26)}{'x' * (i // 26)}"): 1 for i in range(first, first + count)}


def share_held(groups: dict[str, int], taken: set[str]) -> float:
    return sum(groups[key] for key in taken) / sum(groups.values())


@pytest.mark.parametrize("share", [0.1, 0.2, 0.35])
def test_the_wanted_share_is_held_out(share: float) -> None:
    groups = singles(1_000)
    assert share_held(groups, hold_out(groups, share)) == pytest.approx(share, abs=0.001)


def test_nothing_and_everything_can_be_held_out() -> None:
    groups = singles(50)
    assert hold_out(groups, 0.0) == set()
    assert hold_out(groups, 1.0) == set(groups)
    assert hold_out({}, 0.2) == set()


def test_copies_of_one_text_stay_in_the_pool_where_there_is_nothing_else() -> None:
    assert all(hold_out({key: 596}, share) == set() for key in singles(50) for share in (0.2, 0.9))


def test_sixty_nine_texts_of_which_most_are_copies_hold_out_others() -> None:
    """Fifty-four of them are copies: they would be four fifths of the lane, or none of it."""
    groups = {split_key("template"): 54} | singles(15)
    taken = hold_out(groups, 0.2)
    assert split_key("template") not in taken
    assert len(taken) == 8  # half of the different texts stay, so that a model has something to learn from


def test_a_group_is_held_out_where_the_lane_comes_nearer_to_its_share() -> None:
    keys = list(singles(5))
    assert len(hold_out(dict.fromkeys(keys, 100), 0.2)) == 1
    assert len(hold_out(dict.fromkeys(keys[:3], 100), 0.2)) == 1  # a third is nearer to a fifth than nothing
    assert hold_out(dict.fromkeys(keys[:2], 100), 0.2) == set()


def test_a_lane_that_is_behind_catches_up_and_one_that_is_ahead_waits() -> None:
    groups = singles(100)
    assert len(hold_out(groups, 0.2, held=0, total=100)) == 40
    assert len(hold_out(groups, 0.2, held=0, total=1_000)) == 50  # and never by more than half
    assert len(hold_out(groups, 0.2, held=300, total=400)) == 10  # what comes late is measured as well


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_texts_that_come_one_by_one_fill_the_lane_without_a_pattern(share: float) -> None:
    held: list[int] = []
    for total, key in enumerate(singles(2_000)):
        held += [total] * len(hold_out({key: 1}, share, held=len(held), total=total))
        if total > 50:
            assert len(held) / (total + 1) == pytest.approx(share, abs=0.06)
    assert len(held) / 2_000 == pytest.approx(share, abs=0.005)
    assert len(set(np.diff(held))) > 5


def test_one_text_after_many_copies_is_held_out_by_chance_only() -> None:
    """The lane is far behind, and still not all of what comes one by one may be withheld from the model."""
    taken = sum(len(hold_out({key: 1}, 0.2, held=0, total=596)) for key in singles(1_000))
    assert 440 < taken < 560


def test_who_is_held_out_depends_on_the_texts_and_not_on_their_order() -> None:
    groups = singles(200)
    backwards = dict(reversed(groups.items()))
    assert hold_out(groups, 0.2) == hold_out(backwards, 0.2)


def test_halves_are_even() -> None:
    for count in (2, 3, 8, 9, 200):
        given = list(halves(singles(count)).values())
        assert abs(given.count("tuning") - given.count("reporting")) <= 1
    alone = [halves([key])[key] for key in singles(400)]
    assert 160 < alone.count("tuning") < 240


def test_a_split_never_changes() -> None:
    # NB: stored documents were split by these values; another key would part near duplicates.
    key = split_key("Card lost")
    assert key == "f4e49b8da50a0800006829ff7f78db43649a9a2c835b29531023760e3ed701f1"
    assert half(key) == "reporting"


@pytest.mark.parametrize("folds", [3, 10])
def test_copies_of_one_text_are_no_fold_that_everything_is_in(folds: int) -> None:
    data = make_dataset(SINGLE, 90)
    copies = tuple(f"order {i} of {i * 7}" for i in range(1_000))
    targets = np.concatenate([data.targets, np.repeat(data.targets[:1], 1_000, axis=0)])
    dealt = assign_folds(Dataset(data.schema, data.texts + copies, targets), folds, np.random.default_rng(0))
    assert set(dealt[90:].tolist()) == {folds - 1}
    assert set(dealt[:90].tolist()) == set(range(folds - 1))


def test_copies_of_one_text_alone_leave_the_first_fold_empty() -> None:
    data = make_dataset(SINGLE, 30)
    alike = Dataset(data.schema, tuple(f"order {i}" for i in range(30)), data.targets)
    assert set(assign_folds(alike, 3, np.random.default_rng(0)).tolist()) == {2}


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
