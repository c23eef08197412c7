"""`read`: a file of any known format as a stream of rows that are safe to store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from training.records.detect import PACKED, detect_encoding, detect_format
from training.records.rows import FileError, Options, Row

Reader = Callable[[BinaryIO, str, Options], Iterator[Row]]

# Readers are named by dotted path, as in the registry, so that reading CSV does not load PyArrow.
READERS = {
    "csv": "training.records.delimited:read_delimited",
    "tsv": "training.records.delimited:read_delimited",
    "lines": "training.records.delimited:read_lines",
    "jsonl": "training.records.structured:read_jsonl",
    "json": "training.records.structured:read_json",
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

    There are fewer rows where the file breaks off; raises `FileError` without any. Given these options,
    `read` does not look for the encoding again.
    """
    rows: list[Row] = []
    with _opened(path, options, name) as (settled, found):
        try:
            rows.extend(islice(found, count))
        except FileError:
            if not rows:
                raise
    return rows, settled


@contextmanager
def _opened(path: str | Path, options: Options | None, name: str) -> Iterator[tuple[Options, Iterator[Row]]]:
    """Open a file, once; give the options with what was found out about it, and its rows."""
    path, options = Path(path), options or Options()
    name = name or path.name
    if not path.is_file():
        raise FileError(f"{name} does not exist.")
    if path.stat().st_size > options.max_bytes:
        raise FileError(f"{name} is larger than {options.max_bytes // 1024**2:,} MB, the most that is read.")
    with path.open("rb") as file:
        found = detect_format(file, name)
        options = replace(options, format=options.format or found)
        if options.format not in READERS:
            raise FileError(f"There is no format called {options.format!r}; known are {', '.join(READERS)}.")
        reader = _reader(options.format)
        if options.format not in PACKED and not options.encoding:
            options = replace(options, encoding=detect_encoding(file, name))
        rows = reader(file, name, options)
        yield options, (_checked(row, options) for row in rows)


def _reader(key: str) -> Reader:
    module, _, attribute = READERS[key].partition(":")
    try:
        reader: Reader = getattr(import_module(module), attribute)
    except ImportError as error:
        raise FileError(
            f"Reading {key} needs the package {error.name!r}: run pip install '.[{key}]'."
        ) from error
    return reader


def _checked(row: Row, options: Options) -> Row:
    """Return the row, or its problem where no database would take its cells."""
    if row.problem:
        return row
    if len(row.cells) > options.max_columns:
        problem = f"The row has {len(row.cells):,} columns; at most {options.max_columns:,} are read."
        return Row(row.number, problem=problem)
    for column, value in row.cells.items():
        if value is None or isinstance(value, bool | int | float):
            continue
        # Nested JSON is checked as one text. Its escaped NULs become characters, so that they are found.
        nested = not isinstance(value, str)
        text = json.dumps(value, ensure_ascii=False).replace("\\u0000", "\0") if nested else value
        fault = ""
        if len(text) > options.max_cell:
            fault = f"has {len(text):,} characters or more; at most {options.max_cell:,} are read"
        elif "\0" in text:
            fault = "holds a NUL character"
        elif not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                fault = "holds bytes that are not text in the file's encoding; choose another encoding"
        if fault:
            return Row(row.number, problem=f"The cell in “{column}” {fault}.")
    return row
