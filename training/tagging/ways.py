"""How the texts of a dataset are cut into words."""

from __future__ import annotations

from training.preprocess.words import blank_separated, words
from training.spans import SpanDataset

_ENOUGH = 20  # spans; fewer may end at blanks by chance
_SPLIT = 0.01  # of the spans: so few may end within a token by mistake


def usual_way(dataset: SpanDataset) -> str:
    """Return the key of `WAYS` that suits the spans: tokens between blanks where all spans are made of them.

    Texts that were put together of tokens have spans that begin and end at blanks, signs apart from words;
    in others a comma or a full stop stands at a word that a span leaves out.
    """
    pairs = [(text, span) for text, spans in zip(dataset.texts, dataset.spans, strict=True) for span in spans]
    if len(pairs) < _ENOUGH:
        return "words"
    inside = 0
    for text, span in pairs:
        before = span.start == 0 or text[span.start - 1].isspace()
        after = span.end == len(text) or text[span.end].isspace()
        inside += not (before and after)
    if inside > _SPLIT * len(pairs):
        return "words"
    # Signs that end sentences stand alone there; where they stick to words, people wrote the texts.
    stuck = sum(
        end - start > 1 and text[end - 1] in ".,!?" and text[start].isalnum()
        for text in dataset.texts
        for start, end in blank_separated(text)
    )
    signs = sum(text[start:end] in {*".,!?"} for text in dataset.texts for start, end in words(text))
    return "blanks" if stuck <= signs / 2 else "words"
