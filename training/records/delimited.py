"""Readers of CSV, TSV and plain lines."""

from __future__ import annotations

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from io import StringIO, TextIOWrapper
from typing import BinaryIO, TextIO

from training.records.detect import SAMPLE
from training.records.header import columns, looks_like_header
from training.records.rows import FileError, Options, Row, fill_row

DELIMITERS = ",;\t|"
NO_DELIMITER = "\x1f"  # stands for a table of one column, whose texts may hold commas
REPLAYS = 1000
REPLAYED = 64_000_000  # characters; a broken record may be long, and each of its lines is tried anew
# The first line by which Excel is told the delimiter of a file; it is no row.
SEPARATOR = re.compile(r'\ufeff?"?sep=([^\r\n"])"?[,;\t]*[\r\n]*', re.IGNORECASE)
OPENED = re.compile(r'(?<![^\t\r\n])"')  # the quote that a cell begins with
UNQUOTED = re.compile(r'[^"]*(?:""[^"]*)*')  # what such a cell holds, up to a quote that is not doubled
# What the csv module says is wrong, by a part of its message, and what a person is told.
FAULTS = {
    "record limit": "The row is longer than is read, or a quote is opened here and never closed.",
    "field limit": "A cell is too long, or a quote is opened here and never closed.",
    "unexpected end": "A quote is opened here and never closed.",
    "": "A quote inside a quoted cell is not doubled.",
}


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Make a lone surrogate of each byte that does not decode, by which its cell is known to be broken.

    NB: Python's own "surrogateescape" gives up at bytes below 128, which half a character of UTF-16 has.
    """
    assert isinstance(error, UnicodeDecodeError)
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("training.records.escape", _escape)


def decoded(file: BinaryIO, options: Options) -> TextIO:
    """Return an open file as text in its encoding; bytes that do not decode become surrogates."""
    file.seek(0)
    has_mark = file.read(3) == codecs.BOM_UTF8
    file.seek(0)
    try:
        name = codecs.lookup(options.encoding).name
        name = (
            "utf-8-sig" if has_mark and name == "utf-8" else name
        )  # somebody said UTF-8, which it is as well
        text = TextIOWrapper(file, encoding=name, errors="training.records.escape", newline="")
    except LookupError as error:
        raise FileError(f"There is no encoding called {options.encoding!r}.") from error
    if options.meter:
        options.meter.file = text
    return text


def read_lines(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield each line that is not blank as the column "text"."""
    with decoded(file, options) as text:
        for number, line in enumerate(bounded_lines(text, options.max_cell + 2), start=1):
            kept = line.rstrip("\r\n")
            if kept.strip():
                yield Row(number, {"text": kept})


def bounded_lines(file: TextIO, most: int) -> Iterator[str]:
    """Yield lines, of each at most `most` characters, so that a longer one is refused without being held."""
    while line := file.readline(most):
        yield line
        while not line.endswith(("\n", "\r")) and (line := file.readline(most)):
            pass


def read_delimited(file: BinaryIO, name: str, options: Options) -> Iterator[Row]:
    """Yield the rows of a CSV or TSV file; after a broken row, reading goes on with the next line."""
    with decoded(file, options) as text:
        sample = text.read(SAMPLE)
        text.seek(0)
        told = SEPARATOR.fullmatch(next(iter(split_lines(sample)), ""))
        if told:
            sample = sample[len(told[0]) :]
        delimiter = options.delimiter or (told[1] if told else guess_delimiter(sample, options.format))
        if len(delimiter) != 1 or delimiter in '\r\n"':
            raise FileError(f"The delimiter has to be one character, and not {delimiter!r}.")
        quoting = guess_quoting(sample, delimiter)
        csv.field_size_limit(options.max_cell + 1)  # NB: the csv module has one limit for the whole process
        has_header = options.header
        if has_header is None:
            has_header = looks_like_header(_sample_rows(sample, delimiter, quoting))
        lines = _Lines(text, options)
        if told:
            next(lines)
            lines.done()
        # The stub's literal type for `quoting` is narrower than what the constants are typed as.
        reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)  # type: ignore[arg-type]
        names: list[str] = []
        while True:
            number = lines.number
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(number, problem=next(FAULTS[part] for part in FAULTS if part in str(error)))
                lines.give_up_first()
                continue
            lines.done()
            if not cells:
                continue
            is_header = has_header and not names
            names = names or columns(cells if is_header else [], len(cells), options.max_columns)
            if not is_header:
                yield fill_row(number, names, cells, "")


class _Lines:
    """The lines of a file. Those of the present record are kept, so that they can be read once more."""

    def __init__(self, file: TextIO, options: Options) -> None:
        self.source = bounded_lines(file, options.max_row + 1)
        self.longest = options.max_row
        self.ahead: deque[str] = deque()
        self.record: list[str] = []
        self.length = 0  # of the present record
        self.number = 1  # of the line on which the present record starts
        self.replays = self.replayed = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.ahead.popleft() if self.ahead else next(self.source)
        self.record.append(line)
        self.length += len(line)
        if self.length > self.longest:
            raise csv.Error("record limit")
        return line

    def done(self) -> None:
        self.number += len(self.record)
        self.record.clear()
        self.length = 0

    def give_up_first(self) -> None:
        """Drop the first line of a broken record and read the rest anew: its quote may never have closed."""
        self.replays += len(self.record) > 1
        self.replayed += sum(map(len, self.record[1:]))
        if self.replays > REPLAYS or self.replayed > REPLAYED:
            raise FileError(
                f"From line {self.number} on, too many quotes are opened and never closed. "
                "Check the delimiter, or save the file anew."
            )
        self.ahead.extendleft(reversed(self.record[1:]))
        del self.record[1:]
        self.done()


def split_lines(text: str) -> list[str]:
    """Return lines as files have them; `str.splitlines` also cuts at form feeds and other marks in texts."""
    return list(StringIO(text, newline=""))


def guess_delimiter(sample: str, format: str = "csv") -> str:
    """Return the delimiter that cuts the sample's rows into the same number of cells most often."""
    if format == "tsv":
        return "\t"
    lines = split_lines(sample)[:200]
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
    """Return QUOTE_NONE for tab-separated text in which quotes are plain characters.

    In the other kind, a cell that begins with a quote ends with one as well, whatever lines lie between.
    """
    if delimiter != "\t":
        return csv.QUOTE_MINIMAL
    whole, broken, place = 0, 0, 0
    while begun := OPENED.search(sample, place):
        place = UNQUOTED.match(sample, begun.end()).end()  # type: ignore[union-attr]
        is_whole = place < len(sample) and sample[place + 1 : place + 2] in ("", *"\t\r\n")
        whole, broken = whole + is_whole, broken + (not is_whole)
        place += is_whole
    # The last cell of a sample may be cut.
    is_quoted = broken <= whole // 20 or (broken == 1 and place >= len(sample) >= SAMPLE // 2)
    return csv.QUOTE_MINIMAL if whole and is_quoted else csv.QUOTE_NONE


def _sample_rows(sample: str, delimiter: str, quoting: int) -> list[list[str]]:
    lines = split_lines(sample)[:100]
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting)  # type: ignore[arg-type]
    try:
        return [cells for cells in reader if cells]
    except csv.Error:
        return [cells for cells in _lenient(lines, delimiter) if cells]
