"""How the name of a label is spelled: one name for what looks the same, and in a cell of a file."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence

from django.utils.translation import gettext as _

from training.storable import DECODER
from training.types import Json

# Blanks of every kind, control characters, and those that show nothing, as zero-width ones.
TRIMMED = {"Cc", "Cf", "Zl", "Zp", "Zs"}
COMBINING = {"Mn", "Mc", "Me"}


def tidy(name: str) -> str:
    """Return a name composed (NFC), without anything at its ends that nobody sees."""
    if name.isascii() and name.isprintable():
        return name.strip()
    name = unicodedata.normalize("NFC", name)
    start, end = 0, len(name)
    while start < end and unicodedata.category(name[start]) in TRIMMED:
        start += 1
    while start < end and unicodedata.category(name[end - 1]) in TRIMMED:
        end -= 1
    return name[start:end]


def folded(name: str) -> str:
    """Return what names share that differ in case, in the form of a letter or in blanks alone."""
    return " ".join(unicodedata.normalize("NFKC", tidy(name)).casefold().split())


def revealed(name: str) -> str:
    """Return a name with the codes of what nobody sees: at its ends, zero-width, or not composed."""
    hidden = TRIMMED if unicodedata.is_normalized("NFC", name) else TRIMMED | COMBINING
    start, end = len(name) - len(name.lstrip(" ")), len(name.rstrip(" "))
    return "".join(
        char
        if start <= place < end and (char == " " or unicodedata.category(char) not in hidden)
        else f"[U+{ord(char):04X}]"
        for place, char in enumerate(name)
    )


def read(value: Json) -> str:
    """Return the name that a value of a file stands for, as JSON spells it; "" where there is none.

    A text stays as it is spelled, so that the import can tell what `tidy` makes of it.

    1.0 is 1, as JSON has one kind of number. Raises `ValueError` for an object or a list.
    """
    if isinstance(value, str):
        return value if tidy(value) else ""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        sentence = _("A label is a name, but this one is an object or a list: %(value)s")
        raise ValueError(sentence % {"value": json.dumps(value, ensure_ascii=False)[:200]})
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value)


def spelled(cell: Json) -> Sequence[Json] | None:
    """Return the values of a list, or of a text that spells a list of names and numbers; None for others."""
    if isinstance(cell, list):
        return cell
    if not isinstance(cell, str) or not cell.lstrip().startswith("["):
        return None
    try:
        values = DECODER.decode(cell)
    except (ValueError, RecursionError):
        return None  # "[sic]" is a name
    is_plain = isinstance(values, list) and not any(isinstance(value, dict | list) for value in values)
    return values if is_plain else None


def spell(names: Sequence[str]) -> str:
    return json.dumps(list(names), ensure_ascii=False)
