"""Where a model's features stand in a text, so that the page can show why it decided as it did."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from training.types import FloatArray, IntArray

Span = tuple[int, int]  # [start, end) in characters


@dataclass(frozen=True, slots=True)
class Place:
    """The first occurrence of an n-gram: its span in the normalised text, and in the text as it was given.

    The second is None where normalising moved characters, so that their origin is not known any more.
    """

    ngram: str
    normalised: Span
    span: Span | None


@dataclass(frozen=True, slots=True)
class TextParts:
    """The n-grams of a text with the features that each of them brings into the text's feed.

    `ids` and `values` (features,) add up to those of the feed; their order is free, and an id may repeat.
    `owners` (features,) are indices of `places`, or -1 for a feature that belongs to no part of the text.
    """

    places: tuple[Place, ...]
    ids: IntArray
    values: FloatArray
    owners: IntArray


def word_places(found: Iterator[re.Match[str]], most: int) -> Iterator[tuple[str, Span]]:
    """Yield the n-grams of up to `most` words with their spans, in the order in which they are counted."""
    words = [(match.group(), match.span()) for match in found]
    for n in range(1, most + 1):
        for i in range(len(words) - n + 1):
            gram = " ".join(word for word, _ in words[i : i + n])
            yield gram, (words[i][1][0], words[i + n - 1][1][1])


def char_places(normalised: str, least: int, most: int) -> Iterator[tuple[str, Span]]:
    """Yield the n-grams of characters within tokens; the space around a token is outside its span."""
    for match in re.finditer(r"\S+", normalised):
        padded, (start, end) = f" {match.group()} ", match.span()
        for n in range(least, min(most, len(padded)) + 1):
            for i in range(len(padded) - n + 1):
                yield padded[i : i + n], (max(start, start + i - 1), min(end, start + i - 1 + n))


def placed(ngram: str, normalised: Span, spans: list[Span] | None) -> Place:
    """Return the place of an n-gram by its span in the normalised text and the text's `original_spans`."""
    start, end = normalised
    return Place(ngram, normalised, (spans[start][0], spans[end - 1][1]) if spans else None)


def original_spans(text: str, normalised: str, normalise: Callable[[str], str]) -> list[Span] | None:
    """Return for each character of a normalised text the span in the text that it comes from.

    A character is normalised together with its marks. None where the parts do not add up to the whole.
    """
    if text.isascii():
        return [(i, i + 1) for i in range(len(text))]
    spans: list[Span] = []
    parts: list[str] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or not unicodedata.combining(text[end]):
            parts.append(normalise(text[start:end]))
            spans += [(start, end)] * len(parts[-1])
            start = end
    return spans if "".join(parts) == normalised else None
