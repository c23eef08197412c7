"""How our own CSV writes a cell that a spreadsheet would run as a formula, and how it is read back."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from itertools import combinations

from django.utils.translation import gettext as _

from training.storable import DECODER
from training.types import Json

# The columns of an export, by which one that comes back is known: those of the document, those of what one
# row is about, and those that whoever exports may leave out.
LABELS, SPANS = "labels", "spans"  # of the whole text, or of pieces of it: a project has one of them or both
DOCUMENT = ("document", "external_id", "text", "lane")
ROWS = {
    "document": ("labels", "outcome", "is_gold", "answers"),
    "annotation": (
        "labels", "annotator", "outcome", "is_gold", "source", "reason", "seconds", "created", "updated",
    ),
    "decision": (
        "labels", "annotator", "outcome", "source", "reason", "seconds", "created", "annotation",
        "is_current",
    ),
}  # fmt: skip
PARTS = {
    "origin": ("source",),
    "predictions": ("predicted", "predicted_by", "scores"),
    "suggestions": ("suggested", "suggested_by"),
    "meta": ("meta",),
}
MARK = "'"
SIGNS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
# Spreadsheets skip these before a sign: control and format characters, as zero-width ones and the byte order
# mark, and blanks of every kind.
SKIPPED = {"Cc", "Cf", "Zl", "Zp", "Zs"}


def marked(text: str) -> str:
    """Return a cell's text with a mark before it where a spreadsheet would run it.

    One that looks marked already gets another mark, so that `unmarked` returns every text as it was.
    """
    return MARK + text if _is_run(text.lstrip(MARK)) else text


def unmarked(text: str) -> str:
    is_marked = text.startswith(MARK) and _is_run(text.lstrip(MARK))
    return text[len(MARK) :] if is_marked else text


def _is_run(text: str) -> bool:
    if text.startswith(("\t", "\r", "\n")):
        return True
    for letter in text:
        if unicodedata.category(letter) not in SKIPPED:
            return letter in SIGNS
    return False


def read_back(cells: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the cells of one of our own rows without marks; those of any other file stay as they came.

    NB: our own JSONL has these columns too, with labels or spans as a list and without marks.
    """
    is_json = any(isinstance(cells.get(name, []), list) for name in (LABELS, SPANS) if name in cells)
    if not is_own(cells) or is_json or not {LABELS, SPANS} & {*cells}:
        return cells
    return {name: unmarked(cell) if isinstance(cell, str) else cell for name, cell in cells.items()}


def columns(per: str, parts: Collection[str], answer: Collection[str] = (LABELS,)) -> tuple[str, ...]:
    """Return the columns of an export whose rows are about this, with these parts.

    `answer` are the columns that say what was answered.
    """
    left_out = {name for part in PARTS if part not in parts for name in PARTS[part]}
    # What an annotation was suggested belongs to it; a document's answer may be made of several.
    asked = [part for part in PARTS if part != "origin" and (part != "suggestions" or per != "document")]
    chosen = (*DOCUMENT, *ROWS[per], *(name for part in asked for name in PARTS[part]))
    kept = (answer if name == LABELS else (name,) for name in chosen if name not in left_out)
    return tuple(name for names in kept for name in names)


def undecided(parts: Collection[str]) -> tuple[str, ...]:
    """Return the columns of a document that nobody has decided on, in JSONL."""
    asked = (part for part in ("predictions", "meta") if part in parts)
    return (*DOCUMENT, *(name for part in asked for name in PARTS[part]))


def is_own(cells: Collection[str]) -> bool:
    """Tell whether a row has the columns of one of our own exports, no more and no fewer."""
    # NB: asked of every row of a file; most have another number of columns.
    return len(cells) in _SIZES and frozenset(cells) in _OWN


def fields(cell: Json) -> dict[str, Json]:
    """Return what our own export keeps beside a text; raises `ValueError` where the cell was changed."""
    if cell is None or cell == "":
        return {}
    try:
        found = DECODER.decode(cell) if isinstance(cell, str) else cell
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(_("The cell in “meta” is not the JSON object that the export wrote."))
    return found


USUAL = ("origin", "meta")
COLUMNS = columns("annotation", USUAL)
_CHOICES = [parts for size in range(len(PARTS) + 1) for parts in combinations(PARTS, size)]
_OWN = {
    frozenset(columns(per, parts, answer))
    for per in ROWS
    for parts in _CHOICES
    for answer in ((LABELS,), (SPANS,), (LABELS, SPANS))
}
_OWN |= {frozenset(undecided(parts)) for parts in _CHOICES}
_SIZES = set(map(len, _OWN))
