"""A cell is never run by a spreadsheet, and comes back from our own CSV as it was."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotate.services.documents import spreadsheet
from annotate.services.exports import formats
from annotate.services.imports.columns import ColumnMapping
from annotate.task_types import SINGLE, label_names
from training import records
from training.storable import LONG_NUMBER, json_fault

RISKY = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "＝1",
    "\t=1",
    "\rx",
    "\n=1",
    " =1",
    "\u00a0=1",
    "\ufeff=1",
    "\u200b=1",
]
RISKY += ["\u2060\u200d @x", "\x1f=1", "\u202e=1", "\u3000-1"]
HARMLESS = ["", "a=1", "1-1", "x@y", "'tis 1-1", "a\t=1", "—", "'quoted'"]
# What a database keeps: neither halves of a character nor NUL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
TRICKY = st.text(st.sampled_from("'=+-@ \t\r\n\ufeff\u200b\u00a0a\","), max_size=8)


@pytest.mark.parametrize("text", [*RISKY, *(f"'{text}" for text in RISKY), *(f"''{text}" for text in RISKY)])
def test_what_a_spreadsheet_would_run_gets_one_mark(text: str) -> None:
    assert spreadsheet.marked(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert spreadsheet.marked(text) == text


@given(st.one_of(TEXTS, TRICKY))
@example("'=x")
@example("''\u200b=x")
def test_a_mark_is_taken_off_exactly(text: str) -> None:
    assert spreadsheet.unmarked(spreadsheet.marked(text)) == text


@settings(max_examples=60, deadline=None)
@given(st.one_of(TEXTS, TRICKY).filter(str.strip), TRICKY.map(label_names.tidy).filter(bool))
def test_a_text_comes_back_from_a_file_as_it_went(text: str, label: str) -> None:
    row = {"document": 1, "external_id": "a", "text": text, "lane": "pool", "labels": [label], "meta": {}}
    content = b"".join(formats.csv_lines(iter([row]), SINGLE))
    (cells,) = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    assert not cells["text"].lstrip().startswith(spreadsheet.SIGNS)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "own.csv"
        file.write_bytes(content)
        (back,) = records.read(file)
    assert back.problem == ""
    said = ColumnMapping(text="text", id="external_id", label="labels").row(back, SINGLE)
    assert said.text == text
    assert said.answer is not None
    assert said.answer.labels == (label,)


def test_a_file_of_somebody_else_stays_byte_for_byte() -> None:
    row = records.Row(1, {"text": "'@home, he said", "label": "'-"})
    said = ColumnMapping(text="text", label="label").row(row, SINGLE)
    assert said.text == "'@home, he said"
    own = dict.fromkeys(spreadsheet.COLUMNS, "") | {"text": "'=x", "labels": ["a"]}
    assert ColumnMapping(text="text").row(records.Row(1, own), SINGLE).text == "'=x"


def test_numbers_that_cannot_be_stored_are_missing_beside_a_text() -> None:
    assert spreadsheet.fields('{"a": 1e999, "b": NaN, "c": 1}') == {"a": None, "b": None, "c": 1}
    endless = spreadsheet.fields(f'{{"a": {"9" * 5000}}}')
    fault = json_fault(endless)
    assert fault is not None
    assert fault.reason == LONG_NUMBER
