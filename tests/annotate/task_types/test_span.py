"""How spans come in and go out: by a card's form, and in a cell of a file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import QueryDict

from annotate.task_types.span import FLAT_SPAN
from training.types import Answer, Span

ANSWER = Answer(spans=(Span(0, 3, "person"), Span(7, 9, "a, b")))


def sent(**fields: str) -> QueryDict:
    form = QueryDict(mutable=True)
    form.update(fields)
    return form


def test_a_form_gives_each_span_once() -> None:
    form = sent(spans="[[0, 3, 7], [4, 6, 8], [0, 3, 7]]")
    assert FLAT_SPAN.read_form(form) == Answer(spans=(Span(0, 3, 7), Span(4, 6, 8)))
    assert FLAT_SPAN.read_form(sent()) == Answer()


@pytest.mark.parametrize(
    "broken",
    ["{}", "[[0, 3]]", '[["0", 3, 7]]', "[[true, 3, 7]]", "[[-1, 3, 7]]", "[[0, 3, null]]", "[" * 5000, "["],
)
def test_a_form_with_something_else_is_refused(broken: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        FLAT_SPAN.read_form(sent(spans=broken))


def test_nothing_is_said_by_its_own_button_alone() -> None:
    span = Answer(spans=(Span(0, 3, 7),))
    assert FLAT_SPAN.form_fault(sent(none="1"), Answer()) == FLAT_SPAN.form_fault(sent(), span) == ""
    assert "Nothing was marked" in FLAT_SPAN.form_fault(sent(), Answer())
    assert "Do one or the other" in FLAT_SPAN.form_fault(sent(none="1"), span)


def test_what_a_cell_says_is_what_the_export_writes() -> None:
    cell = FLAT_SPAN.write_cell(ANSWER)
    assert FLAT_SPAN.read_cell(cell, "") == FLAT_SPAN.read_cell(json.loads(cell), "") == ANSWER
    assert FLAT_SPAN.read_cell("", "") == FLAT_SPAN.read_cell(None, "") == Answer()


@pytest.mark.parametrize(
    "cell", ["person", [[0, 3]], [{"start": 0, "label": "person"}], [[0, 3, ""]], [[0, 1.5, "person"]]]
)
def test_a_cell_that_is_no_list_of_spans_is_told(cell: Any) -> None:
    with pytest.raises(ValueError, match="[Ss]pan"):
        FLAT_SPAN.read_cell(cell, "")
