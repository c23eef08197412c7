"""How our own CSV writes a cell that a spreadsheet would run as a formula, and how it is read back."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping

from django.utils.translation import gettext as _

from training.storable import DECODER
from training.types import Json

# The columns of an export, by which one that comes back is known.
COLUMNS = (
    "document", "external_id", "text", "lane", "labels", "annotator", "outcome", "is_gold", "source",
    "reason", "seconds", "created", "updated", "meta",
)  # fmt: skip
# Those of a document that nobody has decided on, in JSONL.
UNDECIDED = ("document", "external_id", "text", "lane", "meta")
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

    NB: our own JSONL has these columns too, with labels as a list and without marks.
    """
    if not is_own(cells) or isinstance(cells.get("labels", []), list):
        return cells
    return {name: unmarked(cell) if isinstance(cell, str) else cell for name, cell in cells.items()}


def is_own(cells: Collection[str]) -> bool:
    """Tell whether a row has the columns of our own export, no more and no fewer."""
    # NB: asked of every row of a file; most have another number of columns.
    known = {len(COLUMNS): _COLUMNS, len(UNDECIDED): _UNDECIDED}.get(len(cells))
    return known is not None and set(cells) == known


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


_COLUMNS, _UNDECIDED = frozenset(COLUMNS), frozenset(UNDECIDED)
