"""Spans as one tag a token, in the schemes that CoNLL files are written in.

IOB1 writes B only where two spans of a label touch (Ramshaw and Marcus, 1995); BIO, called IOB2 as well,
begins each span with it; BIOES marks ends and single tokens too, with L and U in place of E and S in BILOU;
IO cannot tell two spans of a label that touch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from training.records.spans.labelled import CannotHold
from training.spans import overlapping, place, shown
from training.types import Span

OUTSIDE = "O"
Places = Sequence[tuple[int, int]]  # of tokens
_SAME = {"L": "E", "U": "S"}


class Scheme(StrEnum):
    """How tags say where a span begins and ends."""

    BIO = "BIO"
    IOB1 = "IOB1"
    BIOES = "BIOES"
    IO = "IO"


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag: B, I, E, S or O, and the label; a label that stands alone is I."""

    prefix: str
    label: str


@dataclass(frozen=True, slots=True)
class BrokenTag:
    """A tag that its scheme does not allow at this token, and why."""

    token: int
    reason: str


def parse_tag(text: str) -> Tag:
    """Return the tag that a cell of a file spells; raises `ValueError` for an empty one."""
    if text in (OUTSIDE, "_"):
        return Tag(OUTSIDE, "")
    prefix, dash, label = text.partition("-")
    prefix = _SAME.get(prefix, prefix)
    if dash and prefix in ("B", "I", "E", "S"):
        if not label:
            raise ValueError(f"the tag “{text}” has no label")
        return Tag(prefix, label)
    if not text:
        raise ValueError("the tag is empty")
    return Tag("I", text)


def detect_scheme(texts: Iterable[Sequence[Tag]]) -> Scheme:
    """Return the scheme in which most tags of a file are as they should be."""
    prefixes: set[str] = set()
    late, lone = 0, 0  # spans that begin with I, and B where IOB1 has none
    for tags in texts:
        prefixes |= {tag.prefix for tag in tags}
        for before, tag in pairwise([Tag(OUTSIDE, ""), *tags]):
            continues = before.label == tag.label
            late += tag.prefix == "I" and not continues
            lone += tag.prefix == "B" and not continues
    if prefixes & {"E", "S"}:
        return Scheme.BIOES
    if "B" not in prefixes:
        return Scheme.IO if "I" in prefixes else Scheme.BIO
    return Scheme.IOB1 if late > lone else Scheme.BIO


def read_tags(
    tags: Sequence[Tag], places: Places, scheme: Scheme
) -> tuple[tuple[Span, ...], tuple[BrokenTag, ...]]:
    """Return the spans of a text's tags, and the tags that its scheme does not allow.

    A broken tag is read as conlleval reads it: what cannot go on begins anew, and what does not end ends
    before the next.
    """
    spans: list[Span] = []
    broken: list[BrokenTag] = []
    start = -1  # the first token of the span that is open
    for i, (before, tag) in enumerate(pairwise([Tag(OUTSIDE, ""), *tags])):
        if reason := _fault(before, tag, scheme):
            broken.append(BrokenTag(i, reason))
        ends = before.prefix in ("E", "S") or tag.prefix in (OUTSIDE, "B", "S") or before.label != tag.label
        if start >= 0 and ends:
            spans.append(Span(places[start][0], places[i - 1][1], before.label))
            start = -1
        if tag.prefix != OUTSIDE and start < 0:
            start = i
    if start >= 0:
        spans.append(Span(places[start][0], places[len(tags) - 1][1], tags[-1].label))
    if tags and scheme is Scheme.BIOES and tags[-1].prefix in ("B", "I"):
        broken.append(BrokenTag(len(tags) - 1, f"the span of “{tags[-1].label}” has no end"))
    return tuple(spans), tuple(broken)


def _fault(before: Tag, tag: Tag, scheme: Scheme) -> str:
    """Return why a tag may not follow the one before it, or an empty string."""
    is_open = before.prefix in ("B", "I") and before.label == tag.label
    if scheme is Scheme.BIO and tag.prefix == "I" and not is_open:
        return f"I-{tag.label} goes on with what has not begun"
    if scheme is Scheme.IOB1 and tag.prefix == "B" and not is_open:
        return f"B-{tag.label} stands where IOB1 begins with I"
    if scheme is Scheme.BIOES:
        if tag.prefix in ("I", "E") and not is_open:
            return f"{tag.prefix}-{tag.label} goes on with what has not begun"
        if before.prefix in ("B", "I") and (tag.prefix in (OUTSIDE, "B", "S")):
            return f"the span of “{before.label}” has no end before it"
    return ""


def write_tags(spans: Sequence[Span], places: Places, scheme: Scheme) -> list[str]:
    """Return one tag a token. Every span has to begin and end where tokens do.

    Raises `CannotHold` for spans that overlap, that cut a token, and, in IO, for two of a label that touch.
    """
    ordered = sorted(spans, key=place)
    if odd := next((span.label for span in ordered if {*"\t\r\n"} & {*str(span.label)}), None):
        raise CannotHold(f"The label “{odd}” holds a tab or a line break, which ends a cell.")
    if crossing := overlapping(ordered):
        first, second = map(shown, crossing)
        raise CannotHold(f"The spans {first} and {second} overlap, which tags cannot hold.")
    starts = {start: i for i, (start, _end) in enumerate(places)}
    ends = {end: i for i, (_start, end) in enumerate(places)}
    tags = [OUTSIDE] * len(places)
    last, label = -2, ""
    for span in ordered:
        if span.start not in starts or span.end not in ends:
            raise CannotHold(f"The span {shown(span)} begins or ends within a token.")
        opening, final = starts[span.start], ends[span.end]
        touches = opening == last + 1 and str(span.label) == label
        if touches and scheme is Scheme.IO:
            raise CannotHold(f"The span {shown(span)} touches one of its label, which IO cannot tell apart.")
        prefixes = _prefixes(final - opening + 1, scheme, touches=touches)
        tags[opening : final + 1] = [f"{prefix}-{span.label}" for prefix in prefixes]
        last, label = final, str(span.label)
    return tags


def _prefixes(length: int, scheme: Scheme, *, touches: bool) -> str:
    if scheme is Scheme.BIOES:
        return "S" if length == 1 else "B" + "I" * (length - 2) + "E"
    begins = scheme is Scheme.BIO or (scheme is Scheme.IOB1 and touches)
    return ("B" if begins else "I") + "I" * (length - 1)
