"""Workbooks as people make them: hidden sheets, merged cells, formulas, errors; and as nobody should."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from training.records import FileError, Findings, Options, Row, read, sample

SHARED = (
    b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument'
    b'.spreadsheetml.sharedStrings+xml"/>'
)
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(*rows: list[Any], change: Callable[[Any], None] = lambda _book: None) -> Path:
        book = openpyxl.Workbook()
        sheet: Any = book.active
        sheet.title = "First"
        for row in rows:
            sheet.append(row)
        change(book)
        book.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return make


def with_part(path: Path, part: str, content: str) -> Path:
    """Return a copy of a workbook with one part replaced, as no program writes it."""
    copy = path.with_name("copy.xlsx")
    types = SHARED + b"</Types>" if part.endswith("sharedStrings.xml") else b"</Types>"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as out:
        for name in source.namelist():
            if name != part:
                out.writestr(name, source.read(name).replace(b"</Types>", types))
        out.writestr(part, content)
    return copy


def found(path: Path, **options: Any) -> tuple[list[Row], Findings]:
    findings = Findings()
    return list(read(path, Options(findings=findings, **options))), findings


def hide_the_first(book: Any) -> None:
    book.active.sheet_state = "hidden"
    second = book.create_sheet("Second")
    second.append(["text"])
    second.append(["visible"])
    book.active = 1


def test_a_hidden_sheet_is_read_only_if_it_is_chosen(write: Callable[..., Path]) -> None:
    path = write(["text"], ["hidden"], change=hide_the_first)
    rows, findings = found(path)
    assert [row.cells for row in rows] == [{"text": "visible"}]
    assert findings.sheets == ["First", "Second"]
    assert "“Second” is read, one of 2 of which 1 is hidden" in findings.notes[0]
    assert [row.cells for row in found(path, sheet="First")[0]] == [{"text": "hidden"}]


def test_a_sheet_that_is_not_there_is_a_sentence_with_those_that_are(write: Callable[..., Path]) -> None:
    path = write(["text"], ["a"], change=hide_the_first)
    with pytest.raises(FileError, match="no sheet called “Third”. Its sheets are: “First”, “Second”"):
        found(path, sheet="Third")


def test_a_merged_label_holds_for_all_its_rows(write: Callable[..., Path]) -> None:
    def merge(book: Any) -> None:
        book.active.merge_cells("A2:A4")
        book.active.merge_cells("C5:D5")

    rows, findings = found(
        write(
            ["label", "text", "city"],
            ["good", "one", "x"],
            [None, "two", "y"],
            [None, "three"],
            ["bad", "four", "z"],
            [None, "five"],
            change=merge,
        )
    )
    assert [row.cells["label"] for row in rows] == ["good", "good", "good", "bad", None]
    assert [row.cells["city"] for row in rows] == ["x", "y", None, "z", None]
    assert findings.notes == [
        "Each cell that is spanned by the sheet's 2 merged cells gets what that one holds."
    ]


def test_a_merged_cell_holds_for_all_its_columns_that_the_table_has(write: Callable[..., Path]) -> None:
    def merge(book: Any) -> None:
        for cells in ("B2:C3", "B4:XFD4"):
            book.active.merge_cells(cells)

    rows, _findings = found(
        write(
            ["text", "mood", "tone"], ["one", "good"], ["two"], ["three", "bad"], ["four", "x"], change=merge
        )
    )
    assert [list(row.cells.values()) for row in rows] == [
        ["one", "good", "good"], ["two", "good", "good"], ["three", "bad", "bad"], ["four", "x", None],
    ]  # fmt: skip


@pytest.mark.parametrize(("per_row", "rows_of_them"), [(1_000, 200), (1_500_000, 1)])
def test_a_huge_count_of_empty_cells_is_no_row_or_a_sentence(
    write: Callable[..., Path], per_row: int, rows_of_them: int
) -> None:
    empty = f"<row>{'<c/>' * per_row}</row>" * rows_of_them
    cell = '<row><c t="inlineStr"><is><t>{}</t></is></c></row>'
    lines = cell.format("text") + empty + cell.format("far")
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{lines}</sheetData></worksheet>'
    path = with_part(write(["text"], ["a"]), "xl/worksheets/sheet1.xml", sheet)
    limits = Options(max_memory=64 * 1024**2, max_seconds=60)
    if per_row > 1_000:
        with pytest.raises(FileError, match="copy.xlsx .*needs more than 64 MB"):
            sample(path, 5, limits)
    else:
        rows, _settled = sample(path, 5, limits)
        assert [row.cells for row in rows] == [{"text": "far"}]


def test_a_merged_cell_makes_no_row_of_an_empty_one(write: Callable[..., Path]) -> None:
    path = write(["label", "text"], ["good", "one"], [], change=lambda book: book.active.merge_cells("A2:A9"))
    assert [row.number for row in found(path)[0]] == [2]


def test_a_formula_without_a_saved_value_is_named_and_not_empty(write: Callable[..., Path]) -> None:
    rows, findings = found(write(["text", "label"], ["one", "good"], ["two", "=A1"], ["three", "=A2"]))
    assert [row.cells["label"] for row in rows] == ["good", None, None]
    assert [sorted(row.faults) for row in rows] == [[], ["label"], ["label"]]
    assert "formula without a saved value" in rows[1].faults["label"]
    assert "“label” holds 2 formulas without a saved value" in findings.notes[0]


def test_a_formula_with_a_saved_value_is_that_value(write: Callable[..., Path]) -> None:
    path = write(["text", "label"], ["one", "good"])
    cells = (
        '<row r="1"><c r="A1" t="str"><f>"te"&amp;"xt"</f><v>text</v></c></row>'
        '<row r="2"><c r="A2" t="str"><f>B1</f><v>saved</v></c></row>'
        '<row r="3"><c r="A3"><f>B2</f><v/></c></row>'
    )
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
    rows, findings = found(with_part(path, "xl/worksheets/sheet1.xml", sheet))
    assert [row.cells["text"] for row in rows] == ["saved", None]
    assert "“text” holds 1 formula without" in findings.notes[0]


def test_numbers_days_and_answers_are_spelled_as_a_spreadsheet_shows_them(write: Callable[..., Path]) -> None:
    values = [
        3.0,
        0.1 + 0.2,
        True,
        date(2026, 1, 2),
        datetime(2026, 1, 2, 3, 4),
        time(5, 6),
    ]
    names = list("abcdef")
    rows, _findings = found(write(names, values), header=True)
    assert list(rows[0].cells.values()) == [
        3, 0.3, True, "2026-01-02", "2026-01-02T03:04:00", "05:06:00",
    ]  # fmt: skip


def test_an_error_is_no_value_and_is_named(write: Callable[..., Path]) -> None:
    rows, _findings = found(write(["text", "label"], ["one", "#N/A"], ["two", "good"]))
    assert rows[0].faults == {"label": "holds the error #N/A"}
    assert rows[1].faults == {}


@pytest.mark.parametrize("before", ["", f"<!--{' ' * 5000}-->", f"<?pad {'x' * 200_000}?>"])
def test_a_document_type_is_refused_wherever_it_stands(write: Callable[..., Path], before: str) -> None:
    content = f'{before}<!DOCTYPE x [<!ENTITY a "b">]><sst xmlns="{MAIN}"><si><t>&a;</t></si></sst>'
    with pytest.raises(FileError, match="document type"):
        found(with_part(write(["text"], ["a"]), "xl/sharedStrings.xml", content))


def test_the_words_of_a_document_type_may_stand_in_a_text(write: Callable[..., Path]) -> None:
    rows, _findings = found(write(["text"], ["<!DOCTYPE html> is how a page begins"]))
    assert rows[0].cells == {"text": "<!DOCTYPE html> is how a page begins"}


@pytest.mark.parametrize("last", [1_048_576, 900_000_000])
def test_a_sheet_that_says_it_is_huge_takes_no_longer_for_it(write: Callable[..., Path], last: int) -> None:
    cell = '<c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c>'
    sheet = (
        f'<worksheet xmlns="{MAIN}"><dimension ref="A1:XFD1048576"/><sheetData>'
        f'<row r="1">{cell.format(1, "text")}</row><row r="{last}">{cell.format(last, "far")}</row>'
        "</sheetData></worksheet>"
    )
    path = with_part(write(["text"], ["a"]), "xl/worksheets/sheet1.xml", sheet)
    rows, _settled = sample(path, 5, Options(max_seconds=2))
    assert rows == [Row(last, {"text": "far"})]


def test_shared_texts_that_unpack_to_more_than_the_memory_are_a_sentence(write: Callable[..., Path]) -> None:
    content = f'<sst xmlns="{MAIN}">{"".join(f"<si><t>{i}</t></si>" for i in range(700_000))}</sst>'
    path = with_part(write(["text"], ["a"]), "xl/sharedStrings.xml", content)
    with pytest.raises(FileError, match="copy.xlsx needs more than 16 MB of memory"):
        sample(path, 5, Options(max_memory=16 * 1024**2))


def test_a_workbook_that_no_reader_understands_is_a_sentence(write: Callable[..., Path]) -> None:
    with pytest.raises(FileError, match="copy.xlsx has no sheet"):
        found(with_part(write(["text"], ["a"]), "xl/workbook.xml", f'<workbook xmlns="{MAIN}"/>'))
