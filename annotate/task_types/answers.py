"""Answers in other labels: which labels one has, of the whole text and of pieces of it, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from training.spans import trimmed
from training.types import Answer, Span


def labels_of(answer: Answer) -> list[str | int]:
    """Return every label that an answer gives the text or a piece of it, each once, in order."""
    return list(dict.fromkeys([*answer.labels, *(span.label for span in answer.spans)]))


def translated(answer: Answer, into: Mapping[Any, str | int]) -> Answer:
    """Return the answer in other labels, as keys for names; one that `into` does not name stays.

    What becomes the same stands there once: two labels that were merged, on one piece of the text.
    """
    return replace(
        answer,
        labels=tuple(dict.fromkeys(into.get(label, label) for label in answer.labels)),
        spans=tuple(
            dict.fromkeys(replace(span, label=into.get(span.label, span.label)) for span in answer.spans)
        ),
        scores=tuple((into.get(label, label), score) for label, score in answer.scores),
    )


def told_in(answer: Answer, into: Mapping[Any, str | int | None]) -> Answer:
    """Return what a tagger says, with its scores, in other labels; a label that has none is left out."""
    kept: dict[Span, float | None] = {}
    for span, (_label, score) in zip(answer.spans, answer.span_scores, strict=True):
        if (label := into.get(span.label)) is not None:
            kept.setdefault(replace(span, label=label), score)
    best: dict[str | int, float | None] = {}
    for old, score in answer.label_scores:
        if (label := into.get(old)) is not None:
            best.setdefault(label, score)
    labels = dict.fromkeys(label for old in answer.labels if (label := into.get(old)) is not None)
    scores = [(span.label, score) for span, score in kept.items()]
    return Answer(tuple(labels), tuple(kept), (*scores, *best.items()))


def with_best(answer: Answer, most: int) -> Answer:
    """Return the answer with the best few scores of labels of the whole text, and those of its own labels."""
    ranked = enumerate(answer.label_scores)
    best = [pair for place, pair in ranked if place < most or pair[0] in answer.labels]
    return replace(answer, scores=(*answer.span_scores, *best))


def confidence_of(answer: Answer) -> float | None:
    """Return how sure a model is of its answer: of the best label, or of the least sure part with a span.

    None where it gave nothing, and where its scores only rank.
    """
    told, left = [score for _label, score in answer.span_scores], set(answer.labels)
    for label, score in answer.label_scores:  # the best first, so that few are looked at
        if not left:
            break
        if label in left:
            left.remove(label)
            told.append(score)
    told = told or [score for _label, score in answer.label_scores[:1]]
    return min((score for score in told if score is not None), default=None)


def without(answer: Answer, kept: set[int]) -> Answer:
    """Return what is left of an answer where only some labels are still offered."""
    return Answer(
        tuple(label for label in answer.labels if label in kept),
        tuple(span for span in answer.spans if span.label in kept),
    )


def tidied(answer: Answer, text: str) -> Answer:
    """Return the answer to a text with spans that neither begin nor end with a blank, as those of files may.

    One that the text does not have stays, to be told.
    """
    kept = [(trimmed(span, text) if span.end <= len(text) else None) or span for span in answer.spans]
    return replace(answer, spans=tuple(dict.fromkeys(kept)))
