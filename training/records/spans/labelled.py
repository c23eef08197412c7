"""A text with its spans, as files of every format give it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from training.spans import overlapping, place, shown, text_fault, trimmed
from training.types import Span, TrainingError


class CannotHold(TrainingError):
    """What a format has no way to write; nothing of it is left out silently."""


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One text of a file. Labels are names; offsets are Unicode code points.

    `line` is where it starts in its file. `problem` says why it could not be read at all, `faults` what of it
    could not be taken as it stands, each with its line where the file has lines; `left_out` names what is no
    span. `tokens` are the places of the file's own tokens, () where it has none. `labels` are of the whole
    text.
    """

    text: str = ""
    spans: tuple[Span, ...] = ()
    line: int = 0
    id: str = ""
    problem: str = ""
    faults: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    tokens: tuple[tuple[int, int], ...] = ()
    labels: tuple[str, ...] = ()


def checked(found: LabelledText, *, overlaps: bool = True) -> LabelledText:
    """Return the text with those spans that it can have, in order; each other one is named in `faults`.

    Blanks at a span's edges are trimmed. Where spans may not overlap, the earlier one stays.
    """
    faults = list(found.faults)
    kept: list[Span] = []
    for span in sorted(set(found.spans), key=place):
        fault = text_fault(span, found.text)
        if fault and 0 <= span.start < span.end <= len(found.text):
            whole = trimmed(span, found.text)
            fault, span = ("", whole) if whole else (fault, span)
        if not fault and not overlaps and (crossing := overlapping([*kept, span])):
            fault = f"The spans {shown(crossing[0])} and {shown(span)} overlap; the second one is left out."
        if fault:
            faults.append(fault)
        elif span not in kept:
            kept.append(span)
    return replace(found, spans=tuple(sorted(kept, key=place)), faults=tuple(faults))
