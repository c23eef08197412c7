"""Labelled stretches of a text, none included: names, places, slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from training.spans import overlapping, place, place_fault, shown, text_fault
from training.types import Answer, ScoreKind, Task


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
        ordered = sorted(answer.spans, key=place)
        if fault := next(filter(None, map(place_fault, ordered)), ""):
            return fault
        for before, after in pairwise(ordered):
            if before == after:
                return f"The span {shown(after)} is given twice."
        if not self.overlaps and (crossing := overlapping(ordered)):
            before, after = crossing
            return f"The spans {shown(before)} and {shown(after)} overlap; in this project spans may not."
        return ""

    def text_fault(self, answer: Answer, text: str) -> str:
        """Return why the answer cannot be one to this text, as a sentence; "" where it can.

        A span has to lie within the text, and to begin and end with something that can be seen.
        """
        faults = (text_fault(span, text) for span in sorted(answer.spans, key=place))
        return self.fault(answer) or next(filter(None, faults), "")

    def agreed(self, answers: Sequence[Answer]) -> Answer:
        """Return every span that more than half gave, and of those that half gave the latest answer's.

        What comes of answers without overlaps has none: of two spans that cross, each of which half gave,
        somebody gave both.
        """
        given = Counter(span for answer in answers for span in set(answer.spans))
        latest, half = set(answers[-1].spans), len(answers) / 2
        kept = (span for span, votes in given.items() if votes > half or (votes == half and span in latest))
        return Answer(spans=tuple(sorted(kept, key=place)))


class FlatSpanTask(SpanTask):
    """Spans stand beside each other."""

    key = "span"
    overlaps = False


class OverlappingSpanTask(SpanTask):
    """Spans may cross and lie within each other, also with the same label."""

    key = "overlapping_span"
    overlaps = True


SPAN = FlatSpanTask()
OVERLAPPING_SPAN = OverlappingSpanTask()
