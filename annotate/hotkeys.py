"""Keys of the labelling page: those of its own commands, and which key chooses which label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from annotate.models import Label
from annotate.task_types import TaskType

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
    "x": "#open-examples",
    "h": "#open-history",
    "?": "#open-keys",
    ".": "#suggestion:not([hidden]) #accept[type=button]",
    ",": "#suggestion:not([hidden]) #open-why",
    "+": "#text-larger",
    "=": "#text-larger",
    "-": "#text-smaller",
    "n": "#none",
}
# What there is besides where people mark pieces of the text; none is of the usual row.
OF_SPANS = {
    "a": "#span-accept",
    "d": "#span-delete",
    "delete": "#span-delete",
    "l": "#span-everywhere",
    "b": "#span-dictionary",
    "z": "#span-undo",
    "[": "#span-start-out",
    "{": "#span-start-in",
    "]": "#span-end-out",
    "}": "#span-end-in",
}
# Those with which a lead takes all that one person marked; labels have the usual row, and j and k turn pages.
OF_PEOPLE = "scvme"
OF_EMPTY_ANSWERS = frozenset("n")  # a label of a task that always takes one may have them
USUAL = [key for key in "1234567890qwertyuiop" if key not in COMMANDS]

FEW = 10  # labels that are found by looking; among more, a card has a finder and the likeliest apart
LIKELIEST = 5
# The keys of the likeliest labels, the first five that no label has; they never change with the card.
APART = [key for key in "asdjklhzxcvbm" if key not in COMMANDS]


def commands(task_type: TaskType) -> dict[str, str]:
    """Return the part of `COMMANDS` that the cards of a task have an element for."""
    without = frozenset() if task_type.may_be_empty else OF_EMPTY_ANSWERS
    known = COMMANDS | (OF_SPANS if task_type.marks_text else {})
    return {key: element for key, element in known.items() if key not in without}


def of_desk() -> dict[str, str]:
    """Return the commands of a document's page on which a lead marks the text."""
    return OF_SPANS | {"n": COMMANDS["n"]}


def of_people(taken: Iterable[str]) -> list[str]:
    """Return the keys that take all of one person's spans, fewer where labels have some of them."""
    used = set(taken)
    return [key for key in OF_PEOPLE if key not in used]


def reserved(task_type: TaskType) -> frozenset[str]:
    """Return the keys that no label of such a project can have."""
    return frozenset(key for key in commands(task_type) if len(key) == 1)


def free(taken: Iterable[str]) -> Iterator[str]:
    """Yield the keys of the usual row that no label has yet."""
    used = set(taken)
    return (key for key in USUAL if key not in used)


def likeliest(taken: Iterable[str]) -> list[str]:
    """Return the keys of the likeliest labels on a card, fewer where labels have taken too many of them."""
    used = set(taken)
    return [key for key in APART if key not in used][:LIKELIEST]


def assign(labels: Iterable[Label], task_type: TaskType) -> list[tuple[Label, str]]:
    """Pair each label with its key: its own, else the next of the usual row, else none.

    Labels without a key are found by searching. A key that the page has taken for itself since a lead gave
    it to a label is the page's.
    """
    kept = reserved(task_type)
    listed = [(label, label.hotkey.lower()) for label in labels]
    own = [(label, "" if key in kept else key) for label, key in listed]
    rest = free(key for _label, key in own)
    return [(label, key or next(rest, "")) for label, key in own]
