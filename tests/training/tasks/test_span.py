"""What a task of spans takes for an answer, and what several people's answers come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import tasks
from training.spans import trimmed
from training.tasks import OVERLAPPING_SPAN, SPAN, find
from training.types import Answer, DocumentTask, Span, TrainingError

TEXT = "Anna met  Bob 👩‍👧 today"


def spans(*places: tuple[int, int, str]) -> Answer:
    return Answer(spans=tuple(Span(*place) for place in places))


def test_both_kinds_of_spans_are_found_by_their_keys_and_label_no_whole_document() -> None:
    assert (find("span"), find("overlapping_span")) == (SPAN, OVERLAPPING_SPAN)
    assert not isinstance(SPAN, DocumentTask)
    with pytest.raises(TrainingError, match="whole documents"):
        tasks.find_for_documents("span")


def test_nothing_here_is_an_answer_and_a_label_of_the_document_is_none() -> None:
    assert SPAN.fault(Answer()) == ""
    assert "whole document" in SPAN.fault(Answer(("a",)))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (spans((-1, 2, "a")), "starts before the text"),
        (spans((2, 2, "a")), "is empty"),
        (spans((3, 2, "a")), "is empty"),
        (spans((0, 4, "a"), (0, 4, "a")), "is given twice"),
    ],
)
def test_no_task_takes_a_span_that_no_text_can_hold(answer: Answer, fault: str) -> None:
    assert fault in SPAN.fault(answer)
    assert fault in OVERLAPPING_SPAN.fault(answer)


@pytest.mark.parametrize(
    "answer",
    [
        spans((0, 4, "a"), (3, 6, "b")),
        spans((0, 9, "a"), (2, 3, "a")),
        spans((0, 4, "a"), (0, 4, "b")),
        spans((0, 9, "a"), (1, 2, "a"), (8, 9, "b")),
    ],
)
def test_spans_that_share_a_character_need_a_task_that_lets_them(answer: Answer) -> None:
    assert "overlap" in SPAN.fault(answer)
    assert OVERLAPPING_SPAN.fault(answer) == ""


def test_spans_that_touch_do_not_overlap() -> None:
    assert SPAN.fault(spans((4, 8, "b"), (0, 4, "a"))) == ""


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ((0, 4), ""),
        ((14, 17), ""),
        ((18, 23), ""),
        ((18, 24), "ends behind the text"),
        ((8, 10), "blanks only"),
        ((0, 5), "begins or ends with a blank"),
        ((9, 13), "begins or ends with a blank"),
    ],
)
def test_a_span_lies_within_its_text_and_has_no_blank_at_its_edge(place: tuple[int, int], fault: str) -> None:
    found = SPAN.text_fault(spans((*place, "a")), TEXT)
    assert fault in found
    assert bool(found) is bool(fault)


def test_blanks_at_the_edges_can_be_trimmed() -> None:
    assert trimmed(Span(4, 10, "a"), TEXT) == Span(5, 8, "a")
    assert trimmed(Span(8, 10, "a"), TEXT) is None


@pytest.mark.parametrize(
    ("given_", "agreed"),
    [
        (["a"], "a"),
        (["a", "b"], "b"),
        (["a", "a", "b"], "a"),
        (["ab", "b"], "b"),
        (["b", "ab"], "ab"),
        (["ab", "bc", "b", ""], "b"),
        (["a", ""], ""),
        (["a", "b", "c"], ""),
    ],
)
def test_a_span_that_most_gave_counts_and_the_latest_breaks_a_tie(given_: list[str], agreed: str) -> None:
    places = {"a": (0, 4, "x"), "b": (5, 8, "x"), "c": (10, 13, "y")}
    answers = [spans(*(places[letter] for letter in letters)) for letters in given_]
    assert SPAN.agreed(answers) == spans(*(places[letter] for letter in agreed))


SOME_SPANS = st.builds(
    lambda start, length, label: Span(start, start + length, label),
    st.integers(0, 8), st.integers(1, 4), st.sampled_from("ab"),
)  # fmt: skip
FLAT = st.lists(SOME_SPANS, max_size=4, unique=True).map(lambda found: Answer(spans=tuple(found)))


@given(st.lists(FLAT.filter(lambda answer: not SPAN.fault(answer)), min_size=1, max_size=6))
def test_answers_without_overlaps_agree_on_one_without(answers: list[Answer]) -> None:
    assert SPAN.fault(SPAN.agreed(answers)) == ""
