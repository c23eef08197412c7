"""Why a version decides as it does: the n-grams that weigh most for the labels it decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from annotate.models import ModelVersion
from training.bundles.predictor import Predictor
from training.bundles.serving import Served
from training.registry import FAMILIES
from training.types import NgramWeight


@dataclass(frozen=True, slots=True)
class LabelReason:
    """What speaks for and against one label of one text, the weightiest first."""

    label_id: int
    ngrams: tuple[NgramWeight, ...]


@dataclass(frozen=True, slots=True)
class ShownNgram:
    """An n-gram as the page tells it; what speaks for the label is marked from `start` to `end`.

    These count code points of the text as a browser has it: HTML makes one line feed of CR and LF.
    """

    ngram: str
    is_for: bool
    start: int | None
    end: int | None

    @classmethod
    def of(cls, weight: NgramWeight, *, text: str) -> ShownNgram:
        is_for = weight.contribution > 0
        if weight.span is None or not is_for:
            return cls(weight.ngram, is_for, None, None)
        start, end = (place - text.count("\r\n", 0, place) for place in weight.span)
        return cls(weight.ngram, is_for, start, end)


def named(
    told: Iterable[LabelReason], names: Mapping[int, str], *, text: str
) -> list[tuple[str, list[ShownNgram]]]:
    """Return the reasons as pages tell them."""
    return [
        (names[reason.label_id], [ShownNgram.of(weight, text=text) for weight in reason.ngrams])
        for reason in told
    ]


@lru_cache(maxsize=256)
def may_explain(version_pk: int) -> bool:
    """Tell whether a version's family has n-grams to tell; a version never changes its family."""
    able = [key for key, family in FAMILIES.items() if family.explains]
    return ModelVersion.objects.filter(pk=version_pk, family__in=able).exists()


def reasons(
    *,
    predictor: Served,
    label_ids: Sequence[int],
    texts: Sequence[str],
    asked: Sequence[Sequence[int]],
    most: int,
) -> list[tuple[LabelReason, ...]] | None:
    """Return the reasons for each text's `asked` labels; None where this kind of model cannot tell them.

    `label_ids` are the labels of the predictor's columns; each reason has at most `most` n-grams.
    """
    if not isinstance(predictor, Predictor) or not predictor.explains:
        return None
    column = {pk: j for j, pk in enumerate(label_ids)}
    pairs = [(text, pk) for text, wanted in zip(texts, asked, strict=True) for pk in wanted]
    told = iter(predictor.explain([text for text, _pk in pairs], [column[pk] for _text, pk in pairs], most))
    return [tuple(LabelReason(pk, next(told)) for pk in wanted) for wanted in asked]
