"""What people marked in one text, together: which spans there are, and who gave each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from annotate.models import Annotation, Document
from annotate.models.annotations import Outcome
from training.spans import place
from training.types import Answer, Span


@dataclass(frozen=True, slots=True)
class MarkedSpan:
    """A span with its words; `by` are the names of who gave it, `keys` those of their annotations."""

    span: Span
    label: str
    words: str
    by: list[str] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)

    @property
    def value(self) -> str:
        """Return the span as a form sends it back."""
        return f"{self.span.start}-{self.span.end}-{self.span.label}"


def together(
    document: Document, said: Iterable[Annotation], names: Mapping[int, str], *besides: tuple[str, Answer]
) -> list[MarkedSpan]:
    """Return every span of some answers to a document, in the order of the text; `besides` are a model's.

    A span with a label that is not in `names` is left out.
    """
    found: dict[Span, MarkedSpan] = {}
    answered = [row for row in said if row.outcome == Outcome.ANSWERED]
    given = [(row.annotator.get_username(), row.pk, row.answer) for row in answered]
    for name, key, answer in [*given, *((name, 0, answer) for name, answer in besides)]:
        for span in answer.spans:
            if int(span.label) not in names:
                continue
            words = document.text[span.start : span.end]
            row = found.setdefault(span, MarkedSpan(span, names[int(span.label)], words))
            row.by.append(name)
            if key:
                row.keys.append(key)
    return sorted(found.values(), key=lambda row: place(row.span))
