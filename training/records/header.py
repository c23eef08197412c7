"""Column names: whether the first row holds them, and how equal names are made distinct."""

from __future__ import annotations

from collections.abc import Sequence

from training.records.rows import FileError

TEXT = ("text", "document", "sentence", "content", "body", "message", "comment", "review", "tweet",
        "utterance", "question", "query", "title", "description", "abstract", "текст")  # fmt: skip
LABEL = ("label", "labels", "category", "categories", "class", "intent", "intents", "target", "tag", "tags",
         "topic", "topics", "sentiment", "emotion", "annotation", "метка")  # fmt: skip
ID = ("id", "external_id", "doc_id", "document_id", "uuid", "guid", "key", "uid", "record_id", "номер")
KNOWN = frozenset(TEXT + LABEL + ID)


def columns(cells: Sequence[str], width: int, most: int) -> list[str]:
    """Return `width` distinct column names; raises `FileError` beyond `most`."""
    if width > most:
        raise FileError(
            f"The file has {width:,} columns; at most {most:,} are read. "
            "Check the delimiter, or drop columns."
        )
    names: list[str] = []
    for position in range(width):
        name = str(cells[position]).strip() if position < len(cells) else ""
        names.append(_distinct(name or f"column {position + 1}", names))
    return names


def _distinct(name: str, taken: Sequence[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row names the columns: known names, or short ones that no later row has."""
    if not rows:
        return False
    first = [str(cell).strip() for cell in rows[0]]
    if any(cell.lower() in KNOWN for cell in first):
        return True
    if len(rows) < 2 or len(first) == 1 or len(set(first)) < len(first):
        return False
    if any(not cell or len(cell) > 40 or _is_number(cell) for cell in first):
        return False
    return not any(_recurs(cell, j, rows[1:]) for j, cell in enumerate(first))


def _recurs(cell: str, column: int, rows: Sequence[Sequence[str]]) -> bool:
    return any(cell == str(row[column]).strip() for row in rows if column < len(row))


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
