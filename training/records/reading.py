"""`read`: a file of any known format as a stream of rows that are safe to store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from training.records import label_studio
from training.records.bounded import unpacked
from training.records.detect import PACKED, detect_encoding, detect_format, packed_format
from training.records.header import repeated
from training.records.rows import FileError, Options, Row
from training.storable import HALF, LONGEST_KEY, Limits, json_fault, printable, text_fault
from training.types import Json

Reader = Callable[[BinaryIO, str, Options], Iterator[Row]]

SAMPLE_CHARS = 2_000_000  # a sample is held in a web process
SAMPLE_SECONDS = 20  # and somebody waits for it
# Readers are named by dotted path, as in the registry, so that reading CSV does not load PyArrow.
READERS = {
    "csv": "training.records.delimited:read_delimited",
    "tsv": "training.records.delimited:read_delimited",
    "lines": "training.records.delimited:read_lines",
    "jsonl": "training.records.structured:read_jsonl",
    "json": "training.records.structured:read_json",
    "brat": "training.records.spans.rows:read_brat_rows",
    "conll": "training.records.spans.rows:read_conll_rows",
    "xlsx": "training.records.workbook:read_workbook",
    "parquet": "training.records.columnar:read_parquet",
}


def read(path: str | Path, options: Options | None = None, *, name: str = "") -> Iterator[Row]:
    """Yield the rows of a file, each with the line it starts on; memory does not grow with the file.

    `name` is what the person calls the file, where it is stored under another name. A row that cannot be
    read or stored comes with its `problem`. Raises `FileError` for a file that cannot be read at all, and
    for one that breaks off.
    """
    with _opened(path, options, name) as (_settled, rows):
        yield from rows


def sample(
    path: str | Path, count: int, options: Options | None = None, *, name: str = ""
) -> tuple[list[Row], Options]:
    """Return the first `count` rows, and the options with the format and the encoding that were found out.

    There are fewer rows where they are long, or where the file breaks off; raises `FileError` for a file
    without any.
    Given these options, `read` does not look for the encoding again.
    """
    rows: list[Row] = []
    length = 0
    options = options or Options()
    patient = replace(options, max_seconds=min(options.max_seconds, SAMPLE_SECONDS))
    with _opened(path, patient, name) as (settled, found):
        try:
            for row in islice(found, count):
                rows.append(row)
                length += len(json.dumps(row.cells, ensure_ascii=False))
                if length > SAMPLE_CHARS:
                    break
        except FileError:
            if not rows:
                raise
    if not rows:
        name = name or Path(path).name
        raise FileError(f"{name} has no rows: it is empty but for the names of columns, or blank lines.")
    if settled.findings and settled.format not in ("jsonl", "json"):
        settled.findings.notes += repeated(list(rows[0].cells))
    return rows, replace(settled, max_seconds=options.max_seconds)


@contextmanager
def _opened(path: str | Path, options: Options | None, name: str) -> Iterator[tuple[Options, Iterator[Row]]]:
    """Open a file, once; give the options with what was found out about it, and its rows.

    A packed file is opened in a process of its own: what it unpacks to is known only afterwards.
    """
    path, options = Path(path), options or Options()
    name = name or path.name
    if not path.is_file():
        raise FileError(f"{name} does not exist.")
    if path.stat().st_size > options.max_bytes:
        raise FileError(f"{name} is larger than {options.max_bytes // 1024**2:,} MB, the most that is read.")
    with path.open("rb") as file:
        if options.format in PACKED or packed_format(file):
            with unpacked(file, name, options) as found:
                yield found
        else:
            yield opened(file, name, options)


def opened(file: BinaryIO, name: str, options: Options) -> tuple[Options, Iterator[Row]]:
    """Return the options with what was found out about an open file, and its rows, read in this process."""
    found = detect_format(file, name)
    options = replace(options, format=options.format or found)
    reader = load_reader(options.format)
    if options.format not in PACKED and not options.encoding:
        options = replace(options, encoding=detect_encoding(file, name))
    rows = reader(file, name, options)
    if options.format in ("json", "jsonl") and (first := next(rows, None)) is not None:
        rows = chain([first], rows)
        if label_studio.is_task(first):
            rows = label_studio.flattened(rows)
            if options.findings:
                options.findings.tool = label_studio.TOOL
                options.findings.notes.append(label_studio.NOTE)
    return options, (_checked(row, options) for row in rows)


def load_reader(format: str) -> Reader:
    """Return the reader of a format; raises `FileError` for one that is not known."""
    if format not in READERS:
        raise FileError(f"There is no format called {format!r}; known are {', '.join(READERS)}.")
    module, _, attribute = READERS[format].partition(":")
    try:
        reader: Reader = getattr(import_module(module), attribute)
    except ImportError as error:
        raise FileError(
            f"Reading {format} needs the package {error.name!r}: run pip install '.[{format}]'."
        ) from error
    return reader


def _checked(row: Row, options: Options) -> Row:
    """Return the row, where no database would take a cell with that cell's fault, or the row's problem."""
    if row.problem:
        return row
    if len(row.cells) > options.max_columns:
        problem = f"The row has {len(row.cells):,} columns; at most {options.max_columns:,} are read."
        return Row(row.number, problem=problem)
    length = 0
    faults: dict[str, str] = {}
    for column, value in row.cells.items():
        length += len(value) if isinstance(value, str) else 0
        if reason := text_fault(column):
            shown = printable(column)[:LONGEST_KEY]
            return Row(row.number, problem=f"The name of the column “{shown}” {reason}.")
        if reason := _fault(value, options):
            faults[column] = reason
    if length > options.max_row:
        problem = f"The row has {length:,} characters; at most {options.max_row:,} are read."
        return Row(row.number, problem=problem)
    if not faults:
        return row
    cells = {column: None if column in faults else value for column, value in row.cells.items()}
    return Row(row.number, cells, faults={**row.faults, **faults})


def _fault(value: Json, options: Options) -> str:
    """Return why a cell cannot be stored, or an empty string."""
    # NB: asked of every cell of a file; nearly all are short texts, and none is written before it is a fault.
    if isinstance(value, str):
        if len(value) > options.max_cell:
            return f"has {len(value):,} characters or more; at most {options.max_cell:,} are read"
        reason = text_fault(value)
        return f"{reason}; if the file has another encoding, choose it" if reason == HALF else reason
    found = json_fault(value, Limits(size=options.max_cell))
    place = f" at {found.pointer}" if found and found.pointer else ""
    return f"{found.reason}{place}" if found else ""
