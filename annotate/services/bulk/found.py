"""What an action finds out about some documents before it changes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from annotate.models import BulkChange, BulkItem


class Why(TextChoices):
    """Why a document stays as it is; what people read of each is in `services.bulk.sentences`."""

    SAME = "same", _("have it already")
    UNANSWERED = (
        "unanswered",
        _("nobody has answered them yet, so there is nothing to add to or take away from"),
    )
    LAST = "last", _("would be left without a label, and “none applies” is no answer here")
    OPEN = "open", _("are answered, or in the queue already")
    UNDECIDED = "undecided", _("nobody has put them aside")
    ANSWERED = "answered", _("are answered already")
    TAKEN = "taken", _("are on the screen of an annotator now, or in another list")
    GONE = "gone", _("were deleted meanwhile")


@dataclass(slots=True)
class Found:
    """Documents that an action would change, each with what it has to know of it; and why others stay."""

    wanted: dict[int, Any] = field(default_factory=dict)
    stays: Counter[str] = field(default_factory=Counter)


class Action(Protocol):
    """One action. `find` reads, and is asked by the preview and by the work alike."""

    def find(self, bulk: BulkChange, keys: Sequence[int]) -> Found: ...

    def change(self, bulk: BulkChange, found: Found) -> None:
        """Change what was found, in the caller's transaction, with an item for each document."""
        ...

    def undo(self, bulk: BulkChange, items: Sequence[BulkItem]) -> set[int]:
        """Put back what was there, but not over what people have changed since; return the documents."""
        ...
