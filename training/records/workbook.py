"""Reader of XLSX: the first sheet, row by row."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from typing import BinaryIO
from xml.etree.ElementTree import ParseError

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from training.records.header import columns, looks_like_header
from training.records.rows import FileError, Options, Row, fill_row
from training.types import Json

MOST_PACKED = 200  # unpacked to packed size: 5 to 30 in tables of real text, about 1,000 in a zip bomb
DAMAGE = (InvalidFileException, ParseError, KeyError, IndexError, ValueError, zipfile.BadZipFile)
SMALL = 16 * 1024 * 1024


def read_workbook(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield the rows of the first sheet; formulas give the value that was saved with them.

    NB: a workbook keeps its distinct texts in one table that is held in memory, so that memory grows with
    them; how large that table may unpack is limited by `max_bytes`.
    """
    try:
        _refuse_bombs(file, name, options.max_bytes)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileError(f"{name} is damaged, or protected with a password.") from error
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            rows, size = sheet.max_row or 0, file.seek(0, os.SEEK_END)
            sheet.reset_dimensions()  # NB: some programs declare too few rows, and the rest would be left out
            for row in _rows(sheet.iter_rows(values_only=True), options):
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
    """Raise `FileError` for a zip bomb (by its ratio of sizes) and for XML that declares entities."""
    with zipfile.ZipFile(file) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > most or unpacked > max(SMALL, MOST_PACKED * file.seek(0, os.SEEK_END)):
            raise FileError(f"{name} unpacks to {unpacked / 1e6:,.0f} MB, which is too much to read.")
        for entry in archive.infolist():
            if not entry.filename.endswith((".xml", ".rels")):
                continue
            with archive.open(entry) as part:
                start = part.read(4096)
            if b"<!DOCTYPE" in start.replace(b"\0", b""):
                raise FileError(f"{name} holds XML with a document type, which no spreadsheet writes.")


def _rows(sheet: Iterator[tuple[Json, ...]], options: Options) -> Iterator[Row]:
    first = [_trimmed(cells) for cells in islice(sheet, 50)]
    header = options.header
    if header is None:
        header = looks_like_header([[str(cell or "") for cell in cells] for cells in first if cells])
    names: list[str] = []
    for number, raw in enumerate(chain(first, map(_trimmed, sheet)), start=1):
        if not raw:
            continue
        if not names:
            given = [str(cell or "") for cell in raw] if header else []
            names = columns(given, len(raw), options.max_columns)
            if header:
                continue
        yield fill_row(number, names, raw, None)


def _trimmed(cells: tuple[Json, ...]) -> list[Json]:
    kept = [plain(cell) for cell in cells]
    while kept and kept[-1] in (None, ""):
        kept.pop()
    return kept


def plain(value: Json) -> Json:
    """Return a value that JSON can hold: dates in ISO 8601, whole floats as integers, NaN as None."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if not isinstance(value, timedelta) else value.total_seconds()
