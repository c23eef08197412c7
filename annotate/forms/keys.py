"""Keys of rows as they come in a query string or a form."""

from __future__ import annotations

MOST_DIGITS = 18  # what fits into a 64-bit key
LARGEST_KEY = 10**MOST_DIGITS - 1


def as_key(text: str) -> int | None:
    """Return the number, or None for what cannot be the key of any row."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
