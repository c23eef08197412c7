"""Labelled stretches of a text, none included: names, places, slots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from training.spans import SpanDataset, overlapping, place, place_fault, shown, text_fault
from training.types import Answer, LabelledTexts, LabelSpec, Pool, Schema, ScoreKind, Span, Task

FIRST_CARDS = 200
"""So many labelled texts make a model that is better asked what it is unsure of (see `entity_mass`)."""
SPARSE = 0.5
"""The share of texts without a span from which a random card is mostly empty."""


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

    def dataset(
        self,
        labels: tuple[LabelSpec, ...],
        texts: Sequence[str],
        answers: Sequence[Answer],
        pool: Pool | None = None,
    ) -> SpanDataset:
        """Return texts with their spans; of two that overlap a model learns the longer one."""
        spans = tuple(
            tuple(Span(span.start, span.end, str(span.label)) for span in answer.spans) for answer in answers
        )
        return SpanDataset(Schema(self, labels), tuple(texts), spans, pool=pool)

    def strategy(self, labelled: LabelledTexts, fair: Sequence[LabelledTexts]) -> str:
        """Seek spans while there are few texts and most have none; then ask what the model is unsure of."""
        if len(labelled) >= FIRST_CARDS:
            return self.default_strategy
        seen = [half for half in fair if len(half)] or [labelled]
        answers = [spans for part in seen if isinstance(part, SpanDataset) for spans in part.spans]
        empty = sum(not spans for spans in answers)
        return "entity_mass" if empty >= SPARSE * max(1, len(answers)) else self.default_strategy

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
