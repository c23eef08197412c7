"""Where spans lie: their order, what they share, and whether a text can have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training.types import Answer, Dataset, FloatArray, IntArray, Pool, Schema, Span, TrainingError


def place(span: Span) -> tuple[int, int, str]:
    """Return the key by which spans are put in order: start, end, label."""
    return span.start, span.end, str(span.label)


def place_fault(span: Span) -> str:
    """Return why no text can have the span, as a sentence; "" where one can."""
    if span.start < 0:
        return f"The span {shown(span)} starts before the text."
    if span.end <= span.start:
        return f"The span {shown(span)} is empty."
    return ""


def text_fault(span: Span, text: str) -> str:
    """Return why this text cannot have the span, as a sentence; "" where it can.

    A span lies within the text, and begins and ends with something that can be seen.
    """
    if fault := place_fault(span):
        return fault
    if span.end > len(text):
        return f"The span {shown(span)} ends behind the text, which has {len(text)} characters."
    inside = text[span.start : span.end]
    if not inside.strip():
        return f"The span {shown(span)} holds blanks only."
    if inside != inside.strip():
        return f"The span {shown(span)} begins or ends with a blank."
    return ""


def overlapping(ordered: Sequence[Span]) -> tuple[Span, Span] | None:
    """Return the first two of spans in the order of their starts that share a character; None without."""
    furthest: Span | None = None
    for span in ordered:
        if furthest is not None and span.start < furthest.end:
            return furthest, span
        if furthest is None or span.end > furthest.end:
            furthest = span
    return None


def flattened(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans of which no two share a character: the longest first, of equally long the earlier."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start - one.end, *place(one))):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept, key=place))


def trimmed(span: Span, text: str) -> Span | None:
    """Return the span without the blanks at its edges; None where it holds nothing else."""
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    end = start + len(inside.strip())
    return replace(span, start=start, end=end) if end > start else None


def shown(span: Span) -> str:
    """Return the place as sentences name it."""
    return f"{span.start}-{span.end}"


@dataclass(frozen=True, slots=True)
class WordScores:
    """What a model says of one text: log probabilities (words, tags) of the words at these places.

    Tags are those of `training.tagging.bio`, in the order of the schema's labels. `whole` are uncalibrated
    probabilities (labels,) of the labels of the whole text, where the task has some.
    """

    places: Sequence[tuple[int, int]]
    logs: NDArray[np.float64]
    whole: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class TaughtSpans:
    """What a teacher says of unlabelled texts, after its own biases and calibration of labels.

    No model is measured, calibrated or tuned on it: only the answers of people are the truth.
    """

    texts: tuple[str, ...]
    said: tuple[WordScores, ...]


@dataclass(frozen=True, slots=True)
class SpanDataset:
    """Texts with their spans, whose labels are keys of the schema; a text without any has nothing in it.

    `way` is how texts are cut into words: a key of `training.preprocess.words.WAYS`, or "" to find out.
    `labels` are those of the same texts as a whole, where the task has them too; `schema` is of spans alone.
    `taught` is learned from as well, where that helps.
    """

    schema: Schema
    texts: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    way: str = ""
    pool: Pool | None = None
    labels: Dataset | None = None
    taught: TaughtSpans | None = None

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.spans):
            raise TrainingError(f"There are {len(self.texts)} texts and the spans of {len(self.spans)}.")
        known = set(self.schema.keys)
        for i, spans in enumerate(self.spans):
            for span in spans:
                if span.label not in known:
                    raise TrainingError(f"Text {i} has the label {span.label!r}, which is not in the schema.")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def label_counts(self) -> IntArray:
        """How many spans have each label (labels,), and before them how many texts where there are both."""
        given = [span.label for said in self.spans for span in said]
        of_spans = [given.count(key) for key in self.schema.keys]
        of_texts = [] if self.labels is None else self.labels.label_counts.tolist()
        return np.array([*of_texts, *of_spans], np.int64)

    def with_pool(self, pool: Pool) -> Self:
        """Return the same texts beside another pool."""
        return replace(self, pool=pool)

    def rows(self, rows: Iterable[int]) -> SpanDataset:
        """Return these texts, in the order given."""
        chosen = list(rows)
        return replace(
            self,
            texts=tuple(self.texts[i] for i in chosen),
            spans=tuple(self.spans[i] for i in chosen),
            labels=None if self.labels is None else _rows_of(self.labels, chosen),
        )


@dataclass(frozen=True, slots=True)
class SpansOutOfFold:
    """What was said of labelled texts by models that had not learned them.

    For each of the `rows` (scored,) of the dataset there is an answer with calibrated confidences; `differs`
    (scored,) tells whether it is another than people's, and `suspects` (scored,) whether theirs probably
    lacks a span or has a wrong one.
    """

    rows: IntArray
    answers: tuple[Answer, ...]
    differs: NDArray[np.bool_]
    suspects: NDArray[np.bool_]


def _rows_of(dataset: Dataset, rows: list[int]) -> Dataset:
    return replace(dataset, texts=tuple(dataset.texts[i] for i in rows), targets=dataset.targets[rows])
