"""Which key chooses which label: the project's own keys first, then the usual row for the rest."""

from __future__ import annotations

from collections.abc import Iterable

from annotate.models import Label

# The page's own commands, so that the usual row leaves them out; `u` also goes back.
RESERVED = frozenset("fgu/?. ")
USUAL = [key for key in "1234567890qwertyuiop" if key not in RESERVED]


def assign(labels: Iterable[Label]) -> list[tuple[Label, str]]:
    """Pair each label with its key; labels beyond the usual row have none and are found by searching."""
    listed = list(labels)
    taken = {label.hotkey.lower() for label in listed}
    free = iter([key for key in USUAL if key not in taken])
    return [(label, label.hotkey.lower() or next(free, "")) for label in listed]
