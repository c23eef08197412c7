"""The cells of one sheet of a workbook, in a spelling that people know from their spreadsheet."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_datetime
from openpyxl.utils import column_index_from_string
from openpyxl.worksheet._reader import WorkSheetParser
from openpyxl.xml.constants import SHEET_MAIN_NS

from training.records.plain import plain
from training.types import Json

FORMULA_TAG = f"{{{SHEET_MAIN_NS}}}f"
BLOCK = 1024 * 1024
LONGEST = 16 * 1024  # of a cell with a formula, whose text has at most 8,192 characters
MERGE = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')
UNSAVED = re.compile(
    rb'<(?:\w+:)?c\s[^>]*?r="([A-Z]{1,3})\d{1,7}"[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*'
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
CARRIAGE_RETURN = "_x000D_"  # as Excel writes it, because XML has one kind of line break
NO_SAVED_VALUE = "is a formula without a saved value; save the file in a spreadsheet program"


@dataclass(frozen=True, slots=True)
class NoValue:
    """A cell that has no value although it is not empty: why, and what it shows instead."""

    reason: str
    shown: str | None = None


Cell = Json | NoValue


class Sheet:
    """One sheet: its merged cells and formulas without a value, found by a first pass, and its rows."""

    def __init__(self, sheet: Any) -> None:
        self.sheet = sheet  # a `ReadOnlyWorksheet`, whose own rows tell nothing but values
        self.declared_rows: int = sheet.max_row or 0
        # First row, last row, first column, last column.
        self.merges: list[tuple[int, int, int, int]] = []
        self.unsaved: Counter[int] = Counter()  # by column
        self._scan()

    def _scan(self) -> None:
        """NB: merged cells are listed after the rows that they are about."""
        rest = b""
        with self.sheet._get_source() as source:
            while block := source.read(BLOCK):
                rest += block
                end = max(0, len(rest) - LONGEST)
                for match in UNSAVED.finditer(rest):
                    self.unsaved[column_index_from_string(match[1].decode())] += 1
                    end = max(end, match.end())
                for match in MERGE.finditer(rest):
                    left, right = (column_index_from_string(match[place].decode()) for place in (1, 3))
                    self.merges.append((int(match[2]), int(match[4]), left, right))
                    end = max(end, match.end())
                rest = rest[end:]
        self.merges.sort()

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """Yield each row that holds anything with its number; empty cells at its end are left out."""
        book = self.sheet.parent
        waiting = iter(self.merges)
        upcoming = next(waiting, None)
        spans: dict[int, tuple[int, Cell]] = {}  # column: the last row of a merged cell, and what it holds
        width = 0  # the last column in which any row so far has a cell of its own; none is filled beyond it
        with self.sheet._get_source() as source:
            parser = _Parser(
                source,
                self.sheet._shared_strings,
                data_only=True,
                epoch=book.epoch,
                date_formats=book._date_formats,
                timedelta_formats=book._timedelta_formats,
            )
            parser.day_styles = _day_styles(book)
            for number, found in parser.parse():
                cells: dict[int, Cell] = {
                    cell["column"]: cell["value"] for cell in found if cell["value"] not in (None, "")
                }
                if not cells:
                    continue
                width = max(width, *cells)
                for column, (last, value) in spans.items():
                    if number <= last:
                        cells.setdefault(column, value)
                while upcoming and upcoming[0] <= number:
                    first, last, left, right = upcoming
                    if first == number and left in cells:
                        for column in range(left, max(left, min(right, width)) + 1):
                            cells.setdefault(column, cells[left])
                            spans[column] = last, cells[left]
                    upcoming = next(waiting, None)
                yield number, [cells.get(column) for column in range(1, max(cells) + 1)]


def _day_styles(book: Any) -> set[int]:
    """Return the styles that show a day without an hour."""
    formats = {**BUILTIN_FORMATS, **{164 + place: form for place, form in enumerate(book._number_formats)}}
    shown = {style: formats.get(cell.numFmtId, "General") for style, cell in enumerate(book._cell_styles)}
    return {style for style, form in shown.items() if is_datetime(form) == "date"}


class _Parser(WorkSheetParser):  # type: ignore[misc, unused-ignore]
    """Reads cells as openpyxl does, and tells formulas without a value and errors from empty cells."""

    day_styles: set[int] = set()

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        value = cell["value"]
        if value is None and element.find(FORMULA_TAG) is not None:
            cell["value"] = NoValue(NO_SAVED_VALUE)
        elif isinstance(value, float):
            # Spreadsheets show 15 digits, by which 0.1 + 0.2 is 0.3.
            cell["value"] = plain(float(f"{value:.15g}"))
        elif isinstance(value, datetime) and cell["style_id"] in self.day_styles:
            cell["value"] = value.date().isoformat()
        else:
            cell["value"] = plain(value.replace(CARRIAGE_RETURN, "\r") if isinstance(value, str) else value)
        if cell["data_type"] == "e":
            cell["value"] = NoValue(f"holds the error {value}", str(value))
        return cell
