"""How far annotators say the same of texts that several of them answered.

Taken as it is, one person's answer is the truth and the other's is found; which is which does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from django.core.cache import cache

from annotate.models import Annotation, Document, Project
from training.preprocess.words import WAYS
from training.tagging.agreement import token_alpha
from training.tagging.bio import tags_of
from training.types import Answer, IntArray, Span

COUNTED_SECONDS = 30  # for which pages tell the same figures: they take a look at every answer
_AT_ONCE = 500  # texts that are read from the database together


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two people, in how many texts both gave an answer, and their F1.

    `exact` counts spans with the same place and label, `overlapping` those of one label that share a letter,
    `labels` those of the whole text. Each is None where neither has given any.
    """

    one: str
    other: str
    documents: int
    exact: float | None
    overlapping: float | None
    labels: float | None


@dataclass(frozen=True, slots=True)
class ProjectAgreement:
    """Each pair of people who answered the same texts, those with most of them first, and all together.

    `token_alpha` is Krippendorff's alpha of the labels of words, of which overlapping spans give one the
    longest's.
    """

    pairs: tuple[PairAgreement, ...]
    token_alpha: float | None


def of(project: Project) -> ProjectAgreement:
    """Return how far the project's annotators agree."""
    key = f"span-agreement:2:{project.pk}"
    if (kept := cache.get(key)) is None:
        pairs, alpha = _counted(project)
        kept = pairs, alpha
        cache.set(key, kept, COUNTED_SECONDS)
    return ProjectAgreement(tuple(PairAgreement(*row) for row in kept[0]), kept[1])


Given = dict[int, list[tuple[str, Answer]]]
"""The answers to each document that several people answered, by name."""


def _counted(
    project: Project,
) -> tuple[list[tuple[str, str, int, float | None, float | None, float | None]], float | None]:
    answered = Annotation.objects.answered().filter(project=project, annotator__is_machine=False)
    said = answered.answers()
    by_document: Given = defaultdict(list)
    for pk, document, name in answered.values_list("pk", "document_id", "annotator__username"):
        by_document[document].append((name, said[pk]))
    shared = {document: given for document, given in by_document.items() if len(given) > 1}
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0])
    for given in shared.values():
        for (one, mine), (other, theirs) in combinations(sorted(given, key=lambda row: row[0]), 2):
            found = sums[one, other]
            found[0] += 1
            found[1] += len(mine.spans) + len(theirs.spans)
            found[2] += 2 * len({*mine.spans} & {*theirs.spans})
            found[3] += _touched(mine.spans, theirs.spans) + _touched(theirs.spans, mine.spans)
            found[4] += len(mine.labels) + len(theirs.labels)
            found[5] += 2 * len({*mine.labels} & {*theirs.labels})
    rows = [
        (*pair, n, exact / of if of else None, near / of if of else None, alike / texts if texts else None)
        for pair, (n, of, exact, near, texts, alike) in sums.items()
    ]
    columns: dict[str | int, int] = {
        pk: j for j, pk in enumerate(project.labels.values_list("pk", flat=True))
    }
    alpha = token_alpha(_labels_of_words(project, shared, columns), len(columns))
    return sorted(rows, key=lambda row: (-row[2], row[:2])), alpha


def _labels_of_words(project: Project, shared: Given, columns: dict[str | int, int]) -> Iterator[IntArray]:
    """Yield for each text the label (people, words) of each word, counted from 1, and 0 for none."""
    cut = WAYS["characters" if project.marks_characters else "words"]
    keys = [*shared]
    for start in range(0, len(keys), _AT_ONCE):
        some = Document.objects.filter(pk__in=keys[start : start + _AT_ONCE])
        for pk, text in some.values_list("pk", "text"):
            places = cut(text)
            yield np.array([(tags_of(said.spans, places, columns) + 1) // 2 for _name, said in shared[pk]])


def _touched(spans: Collection[Span], others: Collection[Span]) -> int:
    """Count the spans that share a letter with one of the others that has the same label."""
    return sum(any(a.label == b.label and a.start < b.end and b.start < a.end for b in others) for a in spans)
