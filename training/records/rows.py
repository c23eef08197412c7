"""What every reader yields, and what a caller may tell about a file that the file itself does not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from training.types import Json


class FileError(Exception):
    """A file that cannot be read, or not to its end; the message is a sentence for the person who chose it.

    Messages are English in the whole package, because it works without the site and its translations.
    """


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells by column name, or the `problem` that kept it from being read.

    `number` is the line on which the row starts as an editor counts them; the sheet's row number in a
    workbook; the ordinal from 1 in a Parquet file. `faults` say by column name why a cell that
    is not empty has no value: it is None then, or the name of an error.
    """

    number: int
    cells: Mapping[str, Json] = field(default_factory=dict)
    problem: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


def fill_row(number: int, names: Sequence[str], cells: Sequence[Json], missing: Json) -> Row:
    """Return a table's row with its cells under their columns' names; one with too many cells is a problem.

    Spreadsheets leave out empty cells at the end of a row, so a short row is complete: `missing` fills it.
    """
    if len(cells) > len(names):
        return Row(number, problem=f"The row has {len(cells)} cells, but there are {len(names)} columns.")
    filled = [*cells, *[missing] * (len(names) - len(cells))]
    return Row(number, dict(zip(names, filled, strict=True)))


class ReadMeter:
    """Tells how far a reader has come: by bytes, or by rows for a packed file, which says how many it has."""

    def __init__(self) -> None:
        self.file: TextIO | None = None
        self.last = 0

    def bytes_read(self) -> int:
        """Return how many bytes have been read; for a file that is closed by now, the last known number."""
        if self.file and not self.file.closed:
            self.last = self.file.buffer.tell()
        return self.last

    def advance(self, row: int, rows: int, size: int) -> None:
        """Note that row `row` of `rows` (0 if unknown) is reached in a packed file of `size` bytes."""
        self.last = int(size * min(row / rows, 1.0)) if rows else 0


@dataclass(slots=True)
class Findings:
    """What a reader finds out beside rows: the sheets of a workbook of several, and sentences for people.

    `tool` names the program whose export the file is, where its rows were made of another form.
    """

    tool: str = ""
    sheets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a file; an empty string, or None, means "find out".

    `format` is a key of `reading.READERS`, `delimiter` one character, `header` whether the first row holds
    the column names. `max_cell` is in characters. `max_bytes` limits the file and also what a packed file
    unpacks to; `max_memory`, in bytes, and `max_seconds`, until its next rows, limit the process that unpacks
    it. `sheet` is one of a workbook's; the first that is not hidden unless given. `meter` is told how far
    reading has come, and `findings` what else the file shows.
    """

    format: str = ""
    encoding: str = ""
    delimiter: str = ""
    header: bool | None = None
    max_cell: int = 1_000_000
    max_columns: int = 500
    max_bytes: int = 2 * 1024**3
    max_memory: int = 512 * 1024**2
    max_seconds: int = 120
    sheet: str = ""
    meter: ReadMeter | None = None
    findings: Findings | None = None

    @property
    def max_row(self) -> int:
        """The most characters of all cells of a row together."""
        return 4 * self.max_cell
