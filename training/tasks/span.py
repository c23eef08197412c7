"""Labelled stretches of a text, none included: names, places, slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from training.types import Answer, ScoreKind, Span, Task


class SpanTask(Task):
    """Each span is a stretch of the text and its label; one without spans says that nothing is there.

    Offsets count Unicode code points, as Python does. Where spans may overlap, a model learns from them
    what its decoder can hold.
    """

    score_kind = ScoreKind.WORDS
    has_thresholds = False
    least_labels = 1
    default_strategy = "token_margin"
    overlaps: bool
    """Whether spans may cross and lie within each other."""

    def fault(self, answer: Answer) -> str:
        if answer.labels:
            return "Labels of the whole document are given; a document of this task takes spans only."
        ordered = sorted(answer.spans, key=_place)
        for span in ordered:
            if span.start < 0:
                return f"The span {_shown(span)} starts before the text."
            if span.end <= span.start:
                return f"The span {_shown(span)} is empty."
        for before, after in pairwise(ordered):
            if before == after:
                return f"The span {_shown(after)} is given twice."
        if not self.overlaps and (crossing := overlapping(ordered)):
            before, after = crossing
            return f"The spans {_shown(before)} and {_shown(after)} overlap; in this project spans may not."
        return ""

    def text_fault(self, answer: Answer, text: str) -> str:
        """Return why the answer cannot be one to this text, as a sentence; "" where it can.

        A span has to lie within the text, and to begin and end with something that can be seen.
        """
        if fault := self.fault(answer):
            return fault
        for span in sorted(answer.spans, key=_place):
            if span.end > len(text):
                return f"The span {_shown(span)} ends behind the text, which has {len(text)} characters."
            inside = text[span.start : span.end]
            if not inside.strip():
                return f"The span {_shown(span)} holds blanks only."
            if inside != inside.strip():
                return f"The span {_shown(span)} begins or ends with a blank."
        return ""

    def agreed(self, answers: Sequence[Answer]) -> Answer:
        """Return every span that more than half gave, and of those that half gave the latest answer's.

        What comes of answers without overlaps has none: of two spans that cross, each of which half gave,
        somebody gave both.
        """
        given = Counter(span for answer in answers for span in set(answer.spans))
        latest, half = set(answers[-1].spans), len(answers) / 2
        kept = (span for span, votes in given.items() if votes > half or (votes == half and span in latest))
        return Answer(spans=tuple(sorted(kept, key=_place)))


class FlatSpanTask(SpanTask):
    """Spans stand beside each other."""

    key = "span"
    overlaps = False


class OverlappingSpanTask(SpanTask):
    """Spans may cross and lie within each other, also with the same label."""

    key = "overlapping_span"
    overlaps = True


def overlapping(ordered: Sequence[Span]) -> tuple[Span, Span] | None:
    """Return the first two of spans in the order of their starts that share a character; None without."""
    furthest: Span | None = None
    for span in ordered:
        if furthest is not None and span.start < furthest.end:
            return furthest, span
        if furthest is None or span.end > furthest.end:
            furthest = span
    return None


def trimmed(span: Span, text: str) -> Span | None:
    """Return the span without the blanks at its edges; None where it holds nothing else."""
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    end = start + len(inside.strip())
    return Span(start, end, span.label) if end > start else None


def _place(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, str(span.label)


def _shown(span: Span) -> str:
    return f"{span.start}-{span.end}"


SPAN = FlatSpanTask()
OVERLAPPING_SPAN = OverlappingSpanTask()
