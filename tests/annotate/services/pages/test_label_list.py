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
