"""Readers of CSV, TSV and plain lines."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from typing import BinaryIO, TextIO

from training.records.detect import SAMPLE
from training.records.header import columns, looks_like_header
from training.records.rows import FileError, Options, Row

DELIMITERS = ",;\t|"
NO_DELIMITER = "\x1f"  # stands for a table of one column, whose texts may hold commas
REPLAYS = 1000


def decoded(file: BinaryIO, options: Options) -> TextIO:
    """Return an open file as text in its encoding; bytes that do not decode become surrogates."""
    file.seek(0)
    try:
        text = TextIOWrapper(file, encoding=options.encoding, errors="surrogateescape", newline="")
    except LookupError as error:
        raise FileError(f"There is no encoding called {options.encoding!r}.") from error
    if options.meter:
        options.meter.file = text
    return text


def read_lines(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield each line that is not blank as the column "text"."""
    with decoded(file, options) as text:
        for number, line in enumerate(_bounded(text, options.max_cell), start=1):
            kept = line.rstrip("\r\n")
            if kept.strip():
                yield Row(number, {"text": kept})


def _bounded(file: TextIO, limit: int) -> Iterator[str]:
    """Yield lines. A line far over the limit is cut behind it, so that it is refused without being held."""
    while line := file.readline(limit + 2):
        yield line
        while not line.endswith(("\n", "\r")) and (line := file.readline(limit + 2)):
            pass


def read_delimited(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file; after a broken row, reading goes on with the next line."""
    with decoded(file, options) as text:
        sample = text.read(SAMPLE)
        text.seek(0)
        delimiter = options.delimiter or guess_delimiter(sample, options.format)
        quoting = guess_quoting(sample, delimiter)
        csv.field_size_limit(options.max_cell + 1)  # NB: the csv module has one limit for the whole process
        header = options.header
        if header is None:
            header = looks_like_header(_sample_rows(sample, delimiter, quoting))
        yield from _rows(_Lines(text, options.max_cell), delimiter, quoting, header, options.max_columns)


class _Lines:
    """The lines of a file. Those of the present record are kept, so that they can be read once more."""

    def __init__(self, file: TextIO, limit: int) -> None:
        self.source = _bounded(file, limit)
        self.ahead: deque[str] = deque()
        self.record: list[str] = []
        self.number = 1  # of the line on which the present record starts
        self.replays = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.ahead.popleft() if self.ahead else next(self.source)
        self.record.append(line)
        return line

    def done(self) -> None:
        self.number += len(self.record)
        self.record.clear()

    def give_up_first(self) -> None:
        """Drop the first line of a broken record and read the rest anew: its quote may never have closed."""
        self.replays += len(self.record) > 1
        if self.replays > REPLAYS:
            raise FileError(
                f"From line {self.number} on, too many quotes are opened and never closed. "
                "Check the delimiter, or save the file anew."
            )
        self.ahead.extendleft(reversed(self.record[1:]))
        del self.record[1:]
        self.done()


def _rows(lines: _Lines, delimiter: str, quoting: int, header: bool, max_columns: int) -> Iterator[Row]:
    names: list[str] = []
    for number, cells, problem in _records(lines, delimiter, quoting):
        if problem:
            yield Row(number, problem=problem)
        elif not names:
            names = columns(cells if header else [], len(cells), max_columns)
            if not header:
                yield _row(number, names, cells)
        elif cells:
            yield _row(number, names, cells)


def _records(lines: _Lines, delimiter: str, quoting: int) -> Iterator[tuple[int, list[str], str]]:
    # The stub's literal type for `quoting` is narrower than what the constants are typed as.
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
    while True:
        number = lines.number
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, [], _sentence(error)
            lines.give_up_first()
            continue
        lines.done()
        if cells:
            yield number, cells, ""


def _sentence(error: csv.Error) -> str:
    said = str(error)
    if "field limit" in said:
        return "A cell is too long, or a quote is opened here and never closed."
    if "unexpected end" in said:
        return "A quote is opened here and never closed."
    return "A quote inside a quoted cell is not doubled."


def _row(number: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) > len(names):
        return Row(number, problem=f"The row has {len(cells)} cells, but there are {len(names)} columns.")
    # Excel leaves out empty cells at the end of a row, so a short row is complete.
    padded = cells + [""] * (len(names) - len(cells))
    return Row(number, dict(zip(names, padded, strict=True)))


def guess_delimiter(sample: str, format: str = "csv") -> str:
    """Return the delimiter that cuts the sample's rows into the same number of cells most often."""
    if format == "tsv":
        return "\t"
    lines = sample.splitlines()[:200]
    best, best_score = NO_DELIMITER, 0.0
    for delimiter in DELIMITERS:
        widths = [len(cells) for cells in _lenient(lines, delimiter) if cells][:100]
        if not widths or widths[0] == 1:
            continue
        score = sum(width == widths[0] for width in widths) / len(widths)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _lenient(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue


def guess_quoting(sample: str, delimiter: str) -> int:
    """Return QUOTE_NONE for tab-separated text in which quotes are plain characters."""
    if delimiter != "\t":
        return csv.QUOTE_MINIMAL
    starts = sample.count('\t"') + sample.count('\n"')
    ends = sample.count('"\t') + sample.count('"\n') + sample.count('"\r')
    return csv.QUOTE_MINIMAL if starts and abs(starts - ends) <= starts // 20 else csv.QUOTE_NONE


def _sample_rows(sample: str, delimiter: str, quoting: int) -> list[list[str]]:
    lines = sample.splitlines()[:100]
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    try:
        return [cells for cells in reader if cells]
    except csv.Error:
        return [cells for cells in _lenient(lines, delimiter) if cells]
