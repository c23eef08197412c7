"""How the labels of a project are laid out: where a name may break, and how wide their columns are."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

SEPARATORS = "_-/.:"
# From this number on they stand beside the text where the window is wide; fewer fit below it.
MANY = 17
# The longer half of the names may take a second line. In widths of a letter; a longer word breaks.
WIDTHS = {"short": 9, "medium": 16, "long": 26}
LONGEST_WORD = 26


def parts(name: str) -> list[str]:
    """Split a name after separators and between camel humps; together the parts are the name."""
    breaks = [0, *(i for i, (a, b) in enumerate(pairwise(name), start=1) if _may_break(a, b)), len(name)]
    return [name[start:end] for start, end in pairwise(breaks)]


def _may_break(before: str, after: str) -> bool:
    if before in SEPARATORS:
        return after.isalnum()
    return before.islower() and after.isupper()


def columns(names: Sequence[str]) -> str:
    """Return the classes of the list of labels: how wide its columns are, and whether the labels are many."""
    middle = median(map(_letters, names)) if names else 0
    words = (_letters(word) for name in names for part in parts(name) for word in part.split())
    longest = max((letters for letters in words if letters <= LONGEST_WORD), default=0)
    width = next((key for key, letters in WIDTHS.items() if max(middle, longest) <= letters), "whole")
    return f"{width} many" if len(names) >= MANY else width


def _letters(name: str) -> int:
    """Count the widths of a letter that a name takes: signs of East Asia and most emoji take two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in name)
    return len(name) + wide - sum(unicodedata.combining(letter) > 0 for letter in name)
