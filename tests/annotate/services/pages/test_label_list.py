from __future__ import annotations

import pytest

from annotate.services.pages import label_list
from annotate.templatetags.label_names import breakable


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("card_arrival", ["card_", "arrival"]),
        ("a-b/c.d:e", ["a-", "b/", "c.", "d:", "e"]),
        ("exchangeRateTooHigh", ["exchange", "Rate", "Too", "High"]),
        ("HTTPError", ["HTTPError"]),
        ("ends_", ["ends_"]),
        ("a__b", ["a__", "b"]),
        ("плохаяПогода", ["плохая", "Погода"]),
        ("😀", ["😀"]),
    ],
)
def test_a_name_may_break_after_a_separator_and_between_humps(name: str, parts: list[str]) -> None:
    assert label_list.parts(name) == parts


def test_a_name_is_text_wherever_it_breaks() -> None:
    assert breakable("<b>_<i>x") == "&lt;b&gt;_&lt;i&gt;x"
    assert breakable("a&_b") == "a&amp;_<wbr>b"


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ([], "short"),
        (["yes", "no"], "short"),
        (["disappointment", "gratitude", "embarrassment"], "medium"),
        (["天気天気天気"], "medium"),
        (["e\u0301" * 9], "short"),
        (["card_payment_not_received"], "long"),
        (["x" * 200], "whole"),
        (["yes"] * 16, "short"),
        (["yes"] * 17, "short many"),
        (["yes", "no", "x" * 200], "short"),
        (["yes", "no", "maybe_disappointed"], "medium"),
        (["yes", "no", "a b c d e f g h i j k l m n"], "short"),
    ],
)
def test_columns_fit_the_middle_name_and_the_longest_word(names: list[str], classes: str) -> None:
    assert label_list.columns(names) == classes


FLAT = ["spam", "other"]
BILLING = [f"billing/{word}" for word in ("refund", "invoice", "a / b", "card", "tax")]
ACCOUNT = [f"Account: {word}" for word in ("login", "close", "email", "name")]


def told(names: list[str]) -> list[tuple[str, int]]:
    return [(group.heading, group.size) for group in label_list.groups(names)]


def test_labels_that_follow_each_other_are_grouped_by_the_start_of_their_names() -> None:
    assert told(BILLING + ACCOUNT + FLAT) == [("billing", 5), ("Account", 4), ("", 2)]
    assert told(BILLING[:3] + FLAT + ACCOUNT + BILLING[3:]) == [
        ("billing", 3), ("", 2), ("Account", 4), ("billing", 2)
    ]  # fmt: skip


def test_one_label_is_no_group_and_stands_with_its_neighbours_that_are_in_none() -> None:
    assert told(["spam", "ham/x", *BILLING, *ACCOUNT]) == [("", 2), ("billing", 5), ("Account", 4)]


@pytest.mark.parametrize(
    "names",
    [
        BILLING + ACCOUNT,  # few enough to see at once
        [f"billing/{n}" for n in range(20)],  # one heading for all says nothing
        BILLING[:2] + ACCOUNT[:2] + [f"label {n}" for n in range(9)],  # most are in no group
        [f"card_{n}" for n in range(9)] + [f"top_up_{n}" for n in range(9)],
        ["/a", "/b", "c/", "d/", ":", "", *(f"x{n}" for n in range(9))],
        [],
    ],
)
def test_other_labels_have_no_headings(names: list[str]) -> None:
    assert told(names) == [("", len(names))]


def test_the_prefix_of_a_group_and_the_rest_are_the_name() -> None:
    (first, *_) = label_list.groups(ACCOUNT + BILLING + FLAT)
    assert first.prefix == "Account: "
