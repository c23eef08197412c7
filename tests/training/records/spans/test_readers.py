"""What readers of spans make of files as tools write them, and of broken ones: each fault has its line."""

from __future__ import annotations

import pytest

from training.records.spans.brat import read_brat, write_brat
from training.records.spans.conll import ConllTexts, read_conll, write_conll
from training.records.spans.labelled import CannotHold, LabelledText, checked
from training.records.spans.objects import from_object
from training.records.spans.studio import from_task
from training.records.spans.tags import Scheme
from training.types import Span

ANNA = Span(0, 9, "PER")


def conll(tags: str, *more: str) -> ConllTexts:
    """Read a text of one-letter tokens for each word of `tags`, and more of them."""
    lines: list[str] = []
    for text in (tags, *more):
        lines += [*(f"{sign}\t{tag}" for sign, tag in zip("abcdefgh", text.split(), strict=False)), ""]
    return read_conll(lines)


def places(found: LabelledText) -> str:
    return " ".join(f"{span.start // 2}-{(span.end + 1) // 2}{span.label}" for span in found.spans)


@pytest.mark.parametrize(
    ("tags", "scheme", "spans"),
    [
        ("B-P I-P O B-L B-L", "BIO", "0-2P 3-4L 4-5L"),
        ("I-P I-P O I-L B-L I-L", "IOB1", "0-2P 3-4L 4-6L"),
        ("B-P E-P O S-L S-L", "BIOES", "0-2P 3-4L 4-5L"),
        ("B-P L-P O U-L U-L", "BIOES", "0-2P 3-4L 4-5L"),
        ("I-P I-P O I-L I-L", "IO", "0-2P 3-5L"),
        ("P P O L L", "IO", "0-2P 3-5L"),
        ("I-P I-L", "IO", "0-1P 1-2L"),
        ("O O", "BIO", ""),
    ],
)
def test_the_scheme_of_tags_is_found_and_named(tags: str, scheme: str, spans: str) -> None:
    found = conll(tags)
    assert (found.scheme, places(found.texts[0]), found.texts[0].faults) == (scheme, spans, ())


def test_a_tag_that_cannot_stand_there_is_named_with_its_line_and_read_as_a_beginning() -> None:
    found = conll("B-P I-P O", "O I-L I-P", "B-L O B-L").texts
    assert found[1].faults == (
        "Line 6: I-L goes on with what has not begun.",
        "Line 7: I-P goes on with what has not begun.",
    )
    assert places(found[1]) == "1-2L 2-3P"
    assert (found[0].faults, found[2].faults) == ((), ())


def test_a_span_without_an_end_is_named_where_tags_say_ends() -> None:
    found = conll("B-P E-P O S-L", "B-P O O", "O B-P")
    assert [text.faults for text in found.texts] == [
        (),
        ("Line 7: the span of “P” has no end before it.",),
        ("Line 11: the span of “P” has no end.",),
    ]


def test_blanks_and_tabs_separate_and_a_blank_line_may_hold_a_tab() -> None:
    found = read_conll(
        ["EU NNP B-ORG", "rejects VBZ O", "\t", "-DOCSTART- -X- O", "", "", "# id = 7", "A b c"]
    )
    assert [(text.text, text.id, text.line) for text in found.texts] == [("EU rejects", "", 1), ("A", "7", 7)]
    tabbed = read_conll(["\ufeffNew York\tB-L\r\n", "now\tO\r\n"]).texts[0]
    assert (tabbed.text, tabbed.spans, tabbed.tokens) == (
        "New York now", (Span(0, 8, "L"),), ((0, 8), (9, 12)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("alone", "Line 4 has 1 columns"),
        ("b c O", "Line 4 has 3 columns"),
        ("b\tB-", "Line 4: the tag “B-” has no label."),
        ("\tO", "Line 4 has no token"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_costs_its_text_alone(line: str, problem: str) -> None:
    found = read_conll(["a\tO", "", "x\tO", line, "y\tO", "", "b\tB-P"]).texts
    assert [bool(text.problem) for text in found] == [False, True, False]
    assert found[1].problem.startswith(problem)
    assert found[2].spans == (Span(0, 1, "P"),)


def test_a_text_before_its_tokens_has_to_be_theirs() -> None:
    lines = ['# text = "Anna  Bell!"', "Anna\tB-PER", "Bell\tI-PER", "!\tO"]
    assert read_conll(lines).texts[0].spans == (Span(0, 10, "PER"),)
    lines[0] = '# text = "Anna or Bell!"'
    assert "not those of the text" in read_conll(lines).texts[0].problem


def test_a_word_is_cut_where_a_span_ends_within_it() -> None:
    found = LabelledText("Annas", (Span(0, 4, "PER"),))
    assert write_conll(found, [(0, 5)]) == ["Anna\tB-PER", "s\tO", ""]


@pytest.mark.parametrize(
    ("found", "scheme", "reason"),
    [
        (LabelledText("ab cd", (Span(0, 2, "P"), Span(3, 5, "P"))), Scheme.IO, "IO cannot tell apart"),
        (LabelledText("ab cd", (Span(0, 6, "P"),)), Scheme.BIO, "ends behind the text"),
        (LabelledText("ab cd", (Span(0, 2, "P\tQ"),)), Scheme.BIO, "ends a cell"),
        (LabelledText(" "), Scheme.BIO, "no tokens"),
    ],
)
def test_what_tags_cannot_hold_is_refused(found: LabelledText, scheme: Scheme, reason: str) -> None:
    words = [(0, 2), (3, 5)] if found.text.strip() else []
    with pytest.raises(CannotHold, match=reason):
        write_conll(found, words, scheme)


@pytest.mark.parametrize(
    "content",
    [
        {"text": "Anna Bell", "spans": [{"start": 0, "end": 9, "label": "PER", "token_start": 0}]},
        {"id": 3, "text": "Anna Bell", "label": [[0, 9, "PER"]]},
        {"text": "Anna Bell", "entities": [{"id": 1, "start_offset": 0, "end_offset": 9, "label": "PER"}]},
        {"text": "Anna Bell", "ents": [{"start": 0, "end": 9, "label": "PER"}], "tokens": []},
        ["Anna Bell", {"entities": [[0, 9, "PER"]]}],
    ],
)
def test_objects_of_every_tool_give_the_same_spans(content: object) -> None:
    assert from_object(content).spans == (ANNA,)


def test_an_entry_that_is_no_span_is_told_and_the_others_stay() -> None:
    spans = [[0, 9, "PER"], "PER", [0, 1.5, "PER"], [True, 4, "PER"], [0, 4, ""], {"start": 1}]
    found = from_object({"text": "Anna Bell", "spans": spans})
    assert found.spans == (ANNA,)
    assert [fault.split()[1] for fault in found.faults] == ["2", "3", "4", "5", "6"]
    assert "text" in from_object({"texts": ""}).problem


def test_stand_off_tells_what_it_leaves_out() -> None:
    lines = [
        "T1\tPER 0 9\tAnna Bell",
        "T2\tPER 0 4;5 9\tAnna Bell",
        "R1\trel Arg1:T1 Arg2:T1",
        "#1\tNote T1\tx",
    ]
    found = read_brat("Anna Bell", [*lines, "T3\tPER 0 4\tBell", "T4 PER", ""])
    assert found.spans == (ANNA,)
    assert found.faults == (
        "Line 2 is a span in several pieces, which are not read.",
        "Line 5: the text has something else at 0-4.",
        "Line 6 is no span with a label and two offsets.",
    )
    assert found.left_out == ("1 relations",)
    with pytest.raises(CannotHold, match="blank"):
        write_brat(LabelledText("Anna", (Span(0, 4, "first name"),)))


def test_label_studio_counts_in_utf_16_and_in_code_points_where_the_text_says_so() -> None:
    value = {"text": "Anna", "labels": ["PER"]}
    results = [{"value": value | {"start": start, "end": start + 4}} for start in (3, 2, 0)]
    (found,) = from_task({"id": 5, "data": {"body": "👩 Anna"}, "annotations": [{"result": results}]})
    assert found.spans == (Span(2, 6, "PER"), Span(2, 6, "PER"))
    assert found.faults == ("Result 3: the text has something else at 0-4.",)
    skipped = {"data": {"body": "Anna"}, "annotations": [{"was_cancelled": True, "result": results}]}
    assert from_task(skipped) == [LabelledText("Anna")]
    assert from_task({"data": 3})[0].problem


def test_spans_that_a_text_cannot_have_are_named_and_the_others_stay() -> None:
    spans = (Span(0, 4, "P"), Span(-1, 2, "P"), Span(3, 3, "P"), Span(4, 5, "P"), Span(8, 20, "P"))
    found = checked(LabelledText("Anna Bell ", (*spans, Span(4, 10, "L"), Span(2, 9, "L"))), overlaps=False)
    assert found.spans == (Span(0, 4, "P"), Span(5, 9, "L"))
    assert found.faults == (
        "The span -1-2 starts before the text.",
        "The spans 0-4 and 2-9 overlap; the second one is left out.",
        "The span 3-3 is empty.",
        "The span 4-5 holds blanks only.",
        "The span 8-20 ends behind the text, which has 10 characters.",
    )
