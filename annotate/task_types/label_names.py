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


def read(value: Json) -> str:
    """Return the name that a value of a file stands for, as JSON spells it; "" where there is none.

    1.0 is 1, as JSON has one kind of number. Raises `ValueError` for an object or a list.
    """
    if isinstance(value, str):
        return tidy(value)
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
