"""Reader of XLSX: one sheet, row by row."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from training.records.header import columns, looks_like_header
from training.records.rows import FileError, Options, Row, fill_row
from training.records.sheet import Cell, NoValue, Sheet

MOST_PACKED = 200  # unpacked to packed size: 5 to 30 in tables of real text, about 1,000 in a zip bomb
DAMAGE = (InvalidFileException, ParseError, KeyError, IndexError, ValueError, zipfile.BadZipFile)
SMALL = 16 * 1024 * 1024
BLOCK = 64 * 1024


def read_workbook(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield the rows of the first visible sheet, or of the one that is asked for.

    Formulas give the value that was saved with them; one without is a fault of its cell. A merged cell holds
    for all rows and columns that it spans.

    NB: a workbook keeps its distinct texts in one table that is held in memory, so that memory grows with
    them; `bounded` limits what the process that calls this may use.
    """
    try:
        _refuse_bombs(file, name, options.max_bytes)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileError(f"{name} is damaged, or protected with a password.") from error
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            sheet = _chosen(book, name, options)
            rows, size = sheet.declared_rows, file.seek(0, os.SEEK_END)
            for row in _rows(sheet, options):
                if options.meter:
                    options.meter.advance(row.number, rows, size)
                yield row
        finally:
            book.close()
    except DAMAGE as error:
        raise FileError(
            f"{name} is damaged or not a workbook; open it and save it again as .xlsx."
        ) from error


def _refuse_bombs(file: BinaryIO, name: str, most: int) -> None:
    """Raise `FileError` for a zip bomb (by its ratio of sizes) and for XML that declares a document type."""
    with zipfile.ZipFile(file) as archive:
        # NB: no more of a part is unpacked than the size that is declared here, so that it cannot lie.
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > most or unpacked > max(SMALL, MOST_PACKED * file.seek(0, os.SEEK_END)):
            raise FileError(f"{name} unpacks to {unpacked / 1e6:,.0f} MB, which is too much to read.")
        for entry in archive.infolist():
            if entry.filename.endswith((".xml", ".rels")):
                with archive.open(entry) as part:
                    _refuse_document_type(part, name)


class _Begun(Exception):
    """The first element has begun, after which no document type can be declared."""


def _refuse_document_type(part: Any, name: str) -> None:
    """Raise `FileError` where XML declares a document type, however much stands before it."""

    def refuse(*_declaration: object) -> None:
        raise FileError(f"{name} holds XML with a document type, which no spreadsheet writes.")

    def begin(*_element: object) -> None:
        raise _Begun

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = begin
    try:
        while block := part.read(BLOCK):
            parser.Parse(block)
    except (_Begun, expat.ExpatError):  # what is no XML at all is found where it is read
        return


def _chosen(book: openpyxl.Workbook, name: str, options: Options) -> Sheet:
    """Return the sheet that is asked for, else the first that is not hidden; tell which there are."""
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if not sheets:
        raise FileError(f"{name} has no sheet with cells; open it and save it again as .xlsx.")
    visible = [title for title, sheet in sheets.items() if sheet.sheet_state == "visible"]
    title = options.sheet or next(iter(visible), "")
    if title not in sheets:
        known = ", ".join(f"“{known}”" for known in sheets)
        wanted = f"has no sheet called “{title}”" if title else "has hidden sheets only; choose one"
        raise FileError(f"{name} {wanted}. Its sheets are: {known}.")
    if options.findings and len(sheets) > 1:
        options.findings.sheets = list(sheets)
        hidden = len(sheets) - len(visible)
        options.findings.notes.append(
            f"The sheet “{title}” is read, one of {len(sheets)}"
            + (f" of which {hidden} {'is' if hidden == 1 else 'are'} hidden." if hidden else ".")
        )
    return Sheet(sheets[title])


def _rows(sheet: Sheet, options: Options) -> Iterator[Row]:
    rows = sheet.rows()
    first = list(islice(rows, 50))
    header = options.header
    if header is None:
        header = looks_like_header([[str(cell or "") for cell in cells] for _number, cells in first if cells])
    names: list[str] = []
    for number, raw in chain(first, rows):
        if not raw:
            continue
        if not names:
            given = [str(cell or "") for cell in raw] if header else []
            names = columns(given, len(raw), options.max_columns)
            _note(sheet, names, options)
            if header:
                continue
        yield _row(number, names, raw)


def _row(number: int, names: list[str], raw: list[Cell]) -> Row:
    row = fill_row(number, names, [cell.shown if isinstance(cell, NoValue) else cell for cell in raw], None)
    faults = {name: cell.reason for name, cell in zip(names, raw, strict=False) if isinstance(cell, NoValue)}
    return row if row.problem or not faults else Row(number, row.cells, faults=faults)


def _note(sheet: Sheet, names: list[str], options: Options) -> None:
    """Tell which columns hold formulas without a value, in how many rows, and what merged cells became."""
    if not options.findings:
        return
    for column, count in sorted(sheet.unsaved.items()):
        title = names[column - 1] if column <= len(names) else f"column {column}"
        formulas = "1 formula" if count == 1 else f"{count:,} formulas"
        options.findings.notes.append(
            f"“{title}” holds {formulas} without a saved value. Open the file in a spreadsheet program and "
            "save it there; until then, these rows are broken wherever the column is used."
        )
    if sheet.merges:
        cells = f"{len(sheet.merges):,} merged cell{'' if len(sheet.merges) == 1 else 's'}"
        options.findings.notes.append(
            f"Each cell that is spanned by the sheet's {cells} gets what that one holds."
        )
