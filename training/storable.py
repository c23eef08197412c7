"""What may be stored: the one rule for every text and every JSON value, wherever it comes from."""

from __future__ import annotations

import json
import math
import unicodedata
from dataclasses import dataclass, replace

from training.types import Json

MOST_DIGITS = 1000  # of a whole number; Python itself reads and writes 4,300, other languages far fewer
_LARGEST = 10**MOST_DIGITS
TOO_LONG = _LARGEST  # what a reader puts in place of a number that it cannot read: it is refused as too long
LONGEST_KEY = 200  # characters of a name that a pointer shows

NUL = "holds a NUL character"
HALF = "holds half a character (a lone surrogate)"
NOT_FINITE = "is infinite or not a number (NaN)"
LONG_NUMBER = f"is a whole number of more than {MOST_DIGITS:,} digits"
NOT_JSON = "is of a kind that JSON does not have"


def _finite(number: str) -> float | None:
    value = float(number)
    return value if math.isfinite(value) else None


def whole(digits: str) -> int:
    """Read a whole number; one of thousands of digits, which Python refuses to read, costs its row alone."""
    return int(digits) if len(digits) <= MOST_DIGITS + 1 else TOO_LONG


# Reads all JSON that comes from elsewhere. NB: Python reads NaN and Infinity, which are not JSON, and makes
# infinity of 1e400, which is. Databases refuse all of them, so they mean "missing".
DECODER = json.JSONDecoder(parse_constant=lambda _name: None, parse_float=_finite, parse_int=whole)


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a JSON value may be: levels of nesting, named fields in all, and bytes of its texts."""

    depth: int = 64
    keys: int = 10_000
    size: int = 4_000_000


LIMITS = Limits()
# Whoever measures the whole by other means, as a request's length, asks for the depth alone.
DEPTH_ONLY = Limits(keys=2**62, size=2**62)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value cannot be stored. `pointer` (RFC 6901) names the place, "" the value itself.

    `reason` goes on where a sentence has named that place: "holds a NUL character".
    """

    reason: str
    pointer: str = ""

    def within(self, key: str | int) -> Fault:
        return replace(self, pointer=f"/{_step(key)}{self.pointer}")


def text_fault(text: str) -> str:
    """Return the reason why a text cannot be stored, or an empty string."""
    if "\0" in text:
        return NUL
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return HALF
    return ""


def json_fault(value: Json, limits: Limits = LIMITS) -> Fault | None:
    """Return the first fault of a JSON value, in its keys as in its values, or None.

    NB: by a walk and not by writing it: each row of an import is written once already, to be stored.
    """
    return _Walk(limits).fault(value, 0)


class _Walk:
    """Goes through one value and counts what its limits are about."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.keys = self.size = 0

    def fault(self, value: Json, depth: int) -> Fault | None:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return None
        if isinstance(value, int):
            return None if -_LARGEST < value < _LARGEST else Fault(LONG_NUMBER)
        if isinstance(value, float):
            return None if math.isfinite(value) else Fault(NOT_FINITE)
        if depth == self.limits.depth:
            return Fault(f"is nested more than {depth} levels deep")
        if isinstance(value, dict):
            return self._fields(value, depth)
        if isinstance(value, list | tuple):
            return self._items(value, depth)
        return Fault(NOT_JSON)

    def _text(self, text: str) -> Fault | None:
        if reason := text_fault(text):
            return Fault(reason)
        self.size += len(text) if text.isascii() else len(text.encode())
        return None if self.size <= self.limits.size else self._too_large()

    def _fields(self, fields: dict[Json, Json], depth: int) -> Fault | None:
        self.keys += len(fields)
        if self.keys > self.limits.keys:
            return Fault(f"has more than {self.limits.keys:,} named fields")
        for key, item in fields.items():
            found = self._text(key) if isinstance(key, str) else Fault(NOT_JSON)
            if found:
                return replace(found, reason=f"has a name that {found.reason}").within(key)
            if found := self.fault(item, depth + 1):
                return found.within(key)
        return None

    def _items(self, items: list[Json] | tuple[Json, ...], depth: int) -> Fault | None:
        # An item takes a few bytes at the least, which are two with its comma.
        self.size += 2 * len(items)
        if self.size > self.limits.size:
            return self._too_large()
        for index, item in enumerate(items):
            if found := self.fault(item, depth + 1):
                return found.within(index)
        return None

    def _too_large(self) -> Fault:
        return Fault(f"makes the whole larger than {self.limits.size:,} bytes")


def _step(key: Json) -> str:
    """Write one step of a pointer, so that it can be shown whatever the name holds."""
    name = printable(str(key)).replace("~", "~0").replace("/", "~1")
    return name if len(name) <= LONGEST_KEY else f"{name[:LONGEST_KEY]}…"


def printable(text: str) -> str:
    r"""Return a text that every database, file and page takes: half a character becomes its code, `\ud83d`.

    A NUL becomes `\u0000`. Everything else stays, so that most texts come back as they are.
    """
    if "\0" in text:
        text = text.replace("\0", "\\u0000")
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def mended(value: Json) -> Json:
    """Return JSON that can be written, of what an earlier version let in.

    Texts and names become `printable`; a number that is infinite or none at all becomes null.
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {printable(str(key)): mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mended(item) for item in value]
    return value


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen: blanks, zero-width and control characters alone."""
    return all(unicodedata.category(char) in BLANK or char in INVISIBLE for char in text)


BLANK = {"Cc", "Cf", "Zl", "Zp", "Zs"}
# Letters and marks that show nothing: Hangul fillers, the Braille blank, variation selectors, the joiner.
INVISIBLE = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f") | {chr(code) for code in range(0xFE00, 0xFE10)}
