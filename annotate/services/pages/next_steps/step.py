"""One thing that a lead should do next, and what a rule is told of the project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from annotate.models import ModelVersion, Project

NAMED = 3  # things that a sentence names; of more it tells the number


@dataclass(frozen=True, slots=True)
class Situation:
    """What several rules ask about."""

    project: Project
    published: ModelVersion | None


@dataclass(frozen=True, slots=True)
class NextStep:
    """A sentence and the button that does it or leads there.

    One that `posts` changes something at once, so that its button is a form's. `look` is a second address,
    with what the sentence is about. Where it is `for_leads`, others may not do it.
    """

    key: str
    sentence: str
    button: str
    address: str
    posts: bool = False
    look: str = ""
    for_leads: bool = False


Rule = Callable[[Situation], NextStep | None]


def enumerated(names: list[str]) -> str:
    """Write the first few names, and how many more there are."""
    shown = ", ".join(f"“{name}”" for name in names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} (+{len(names) - NAMED})"
