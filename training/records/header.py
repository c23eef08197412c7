"""Column names: whether the first row holds them, and how equal names are made distinct."""

from __future__ import annotations

from collections.abc import Sequence

from training.records.rows import FileError

TEXT = ("text", "document", "sentence", "content", "body", "message", "comment", "review", "tweet",
        "utterance", "question", "query", "title", "description", "abstract", "текст")  # fmt: skip
LABEL = ("label", "labels", "category", "categories", "class", "intent", "intents", "target", "tag", "tags",
         "topic", "topics", "sentiment", "emotion", "choice", "annotation", "метка")  # fmt: skip
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
        given = str(cells[position]).strip() if position < len(cells) else ""
        name = given = given or f"column {position + 1}"
        number = 1
        while name in names:
            number += 1
            name = f"{given} ({number})"
        names.append(name)
    return names


def repeated(names: Sequence[str]) -> list[str]:
    """Return a sentence for each name of several columns, which `columns` told apart."""
    second = [name.removesuffix(" (2)") for name in names if name.endswith(" (2)")]
    return [
        f"Several columns are called “{name}”: they are read as “{name}”, “{name} (2)” and so on."
        for name in second
        if name in names
    ]


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
    return not any(
        cell == str(other).strip() for row in rows[1:] for cell, other in zip(first, row, strict=False)
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True
