"""What may be stored, and how what an earlier version let in is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.storable import Fault, Limits, is_blank, json_fault, mended, printable

HALF = "\ud83d"
GOOD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ANY = st.text(st.characters(), max_size=8) | st.sampled_from([HALF, "a\0", "~/"])
NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([10**1000, -(10**1000)])


def values(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8)


@pytest.mark.parametrize(
    ("value", "pointer", "reason"),
    [
        ({"a": {"b": HALF}}, "/a/b", "half a character"),
        ({"a": [1, "x\0"]}, "/a/1", "NUL"),
        ({"a": float("inf")}, "/a", "infinite"),
        ([{}, {"deep": float("nan")}], "/1/deep", "NaN"),
        ({"n": 10**1000}, "/n", "1,000 digits"),
        ({"n": -(10**5000)}, "/n", "1,000 digits"),
        ({"a": {f"no{HALF}": 1}}, "/a/no\\ud83d", "has a name that holds half a character"),
        ({"a/b~c\0": 1}, "/a~1b~0c\\u0000", "has a name that holds a NUL character"),
        ({1: 1}, "/1", "a kind that JSON does not have"),
        ({"a": object()}, "/a", "a kind that JSON does not have"),
        (HALF, "", "half a character"),
    ],
)
def test_it_names_the_place_of_what_cannot_be_stored(value: Any, pointer: str, reason: str) -> None:
    found = json_fault(value)
    assert found is not None
    assert found.pointer == pointer
    assert reason in found.reason


@pytest.mark.parametrize(
    ("value", "limits", "reason"),
    [
        ({"a": [[1]]}, Limits(depth=2), "2 levels"),
        ({"a": {"b": 1, "c": 2}}, Limits(keys=2), "2 named fields"),
        ({"a": "x" * 50, "b": "ü" * 26}, Limits(size=100), "100 bytes"),
        ([1] * 51, Limits(size=100), "100 bytes"),
    ],
)
def test_each_limit_is_one_more_than_what_fits(value: Any, limits: Limits, reason: str) -> None:
    found = json_fault(value, limits)
    assert found is not None
    assert reason in found.reason
    roomier = Limits(limits.depth + 1, limits.keys + 1, limits.size + 4)
    assert json_fault(value, roomier) is None


def test_a_value_of_no_end_is_too_deep_and_not_a_crash() -> None:
    endless: list[Any] = []
    endless.append(endless)
    found = json_fault(endless)
    assert found is not None
    assert "levels deep" in found.reason


def writable(value: Any) -> bool:
    """Tell by writing it, which takes longer than the walk, whether a value could be stored."""
    try:
        told = json.dumps(value, ensure_ascii=False, allow_nan=False)
        told.encode()
    except ValueError:
        return False
    return json.loads(told) == value and "\\u0000" not in told.replace("\\\\", "") and "0" * 1000 not in told


@given(values(NUMBERS | ANY, ANY))
def test_it_takes_what_can_be_written_and_read_back_and_nothing_else(value: Any) -> None:
    assert (json_fault(value) is None) == writable(value)


@given(values(NUMBERS.filter(lambda value: abs(value or 0) < 10**999) | ANY, ANY))
def test_what_an_earlier_version_let_in_can_be_written_once_it_is_mended(value: Any) -> None:
    assert json_fault(mended(value)) is None


@given(values(st.none() | st.booleans() | st.integers() | GOOD, GOOD))
def test_mending_leaves_alone_what_is_whole(value: Any) -> None:
    assert mended(value) == value


def test_names_that_differ_still_differ_once_they_are_mended() -> None:
    assert mended(dict(zip(["a\ud83d", "a\ud83e"], [1, float("inf")], strict=True))) == {
        "a\\ud83d": 1,
        "a\\ud83e": None,
    }
    assert printable("ü\0") == "ü\\u0000"


@pytest.mark.parametrize("text", ["", " \t\n", "\u200b\u200d", "\ufeff", "\u00a0\u3000", "\u3164", "\u2800"])
def test_nothing_can_be_seen_of_a_blank_text(text: str) -> None:
    assert is_blank(text)
    assert not is_blank(f"{text}a")


def test_signs_of_private_use_can_be_seen() -> None:
    assert not is_blank("\ue000")


def test_a_pointer_grows_outwards() -> None:
    assert Fault("x").within(1).within("a").pointer == "/a/1"
