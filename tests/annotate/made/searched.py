"""Looks for a text wherever a site could keep one: each column of each table, and each file of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from django.db import connection


def places_of(text: str, *folders: Path) -> list[str]:
    """Return the tables with a row, and the files, that hold a text, its digest, or what JSON makes of it."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    escaped = text.encode("ascii", "backslashreplace")
    wanted = [text.encode(), digest.encode(), escaped, text.encode("utf-16-le")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    found = [table for table, cells in _rows() if any(one in cells for one in wanted)]
    return found + [str(path) for path in files if any(one in path.read_bytes() for one in wanted)]


def _rows() -> Iterator[tuple[str, bytes]]:
    # NB: not the tables of the models alone: a search index keeps its own.
    for table in connection.introspection.table_names():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor.fetchall():
                yield table, b"\0".join(_bytes(cell) for cell in row)


def _bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
