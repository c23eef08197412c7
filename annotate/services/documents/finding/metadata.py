"""A filter by metadata: what was typed, as a condition on documents that both databases know.

`key` finds documents that have the key, `key = value` those where it has that value. What looks like a number
or is true, false or null fits the value of that type as well as the same text; in quotes it is text alone. A
key that holds “=” stands in quotes, too.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.utils.translation import gettext as _

from annotate.models import Project
from annotate.services.documents.finding import metadata_index
from annotate.services.documents.json_functions import HasEntry

LONGEST = 500  # characters of a key with its value
TYPED = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^=]*?)\s*(?:=\s*(.*?)\s*)?', re.DOTALL)
NAMED = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class MetadataEntry:
    """A key, and the values that it may have; no values where it only has to be there."""

    key: str
    values: tuple[Any, ...] = ()


def parse(text: str) -> MetadataEntry:
    """Return what was typed; raises `ValueError`, with a sentence, where no key is named."""
    found = TYPED.fullmatch(text)
    key = _unquoted(found[1]) if found else ""
    if found is None or not key:
        raise ValueError(_("Write a key, or a key and its value as in “channel = mail”."))
    if found[2] is None:
        return MetadataEntry(key)
    return MetadataEntry(key, tuple(_values(found[2])))


def _unquoted(text: str) -> str:
    if len(text) < 2 or not (text[0] == text[-1] == '"'):
        return text
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _values(text: str) -> list[Any]:
    unquoted = _unquoted(text)
    if unquoted != text:
        return [unquoted]
    if text in NAMED:
        return [text, NAMED[text]]
    try:
        number = float(text)
    except ValueError:
        return [text]
    return [text, number] if math.isfinite(number) and abs(number) < metadata_index.LARGEST else [text]


def meaning(project: Project, text: str) -> Q:
    entry = parse(text)
    fits = Q(HasEntry(F("meta"), entry.key, entry.values))
    if connection.vendor == "sqlite":
        listed = metadata_index.keys(project, entry.key, entry.values)
        return fits if listed is None else Q(pk__in=listed) & fits
    return fits
