"""Keys of the labelling page: those of its own commands, and which key chooses which label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from annotate.models import Label

# Key, as the browser names it in lower case, to the element that it presses. The page gives this table to
# its script; the elements and the list of keys that people read are in templates/labeling/.
COMMANDS = {
    " ": "#skip",
    "f": "#flag",
    "backspace": "#back",
    "u": "#back",
    "escape": "#forward",
    "/": "#label-search",
    "g": "#open-guidelines",
    "?": "#open-keys",
    ".": "#accept[type=button]",
}
RESERVED = frozenset(key for key in COMMANDS if len(key) == 1)
USUAL = [key for key in "1234567890qwertyuiop" if key not in RESERVED]


def free(taken: Iterable[str]) -> Iterator[str]:
    """Yield the keys of the usual row that no label has yet."""
    used = set(taken)
    return (key for key in USUAL if key not in used)


def assign(labels: Iterable[Label]) -> list[tuple[Label, str]]:
    """Pair each label with its key: its own, else the next of the usual row, else none.

    Labels without a key are found by searching.
    """
    listed = list(labels)
    rest = free(label.hotkey.lower() for label in listed)
    return [(label, label.hotkey.lower() or next(rest, "")) for label in listed]
