"""How the labels of a project are laid out: in which groups, where a name may break, how wide columns are."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

SEPARATORS = "_-/.:"
# From this number on they stand beside the text where the window is wide; fewer fit below it.
MANY = 17
# The longer half of the names may take a second line. In widths of a letter; a longer word breaks.
WIDTHS = {"short": 9, "medium": 16, "long": 26}
LONGEST_WORD = 26
# What divides the group from the rest of a name, as in “billing/refund” or “Billing: refund”. An underscore
# does not: most names have several, and their first words stand for nothing.
GROUP_MARKS = "/:|>›"
# Below this number of labels the eye needs no headings, and they would take the place of labels.
FEWEST_GROUPED = 11


@dataclass(frozen=True, slots=True)
class LabelGroup:
    """Labels that stand together in the list: their number, and the start of each name that they share.

    An empty `prefix` is of labels that belong to no group.
    """

    prefix: str
    size: int

    @property
    def heading(self) -> str:
        return self.prefix.rstrip().rstrip(GROUP_MARKS).rstrip()


def groups(names: Sequence[str]) -> list[LabelGroup]:
    """Return the groups of names in their order; a single one without prefix where most are in no group."""
    found: list[LabelGroup] = []
    for prefix, run in groupby(names, _prefix):
        size = len(list(run))
        prefix = prefix if size > 1 else ""
        if found and not prefix and not found[-1].prefix:
            found[-1] = LabelGroup("", found[-1].size + size)
        else:
            found.append(LabelGroup(prefix, size))
    grouped = [group for group in found if group.prefix]
    are_most = 2 * sum(group.size for group in grouped) >= len(names)
    if len(names) < FEWEST_GROUPED or len(grouped) < 2 or not are_most:
        return [LabelGroup("", len(names))]
    return found


def _prefix(name: str) -> str:
    """Return the name's start up to its first mark, the mark and the blanks after it included, or ""."""
    at = next((place for place, letter in enumerate(name) if letter in GROUP_MARKS), 0)
    rest = name[at + 1 :].lstrip()
    return name[: len(name) - len(rest)] if name[:at].strip() and rest else ""


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
