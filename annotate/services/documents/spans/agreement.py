"""How far two annotators mark the same in texts that both answered: entity F1 of each pair, in two counts.

Taken as it is, one person's spans are the truth and the other's are found; which is which does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from itertools import combinations

from django.core.cache import cache

from annotate.models import Annotation, Project
from training.types import Span

COUNTED_SECONDS = 30  # for which pages tell the same figures: they take a look at every answer


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two people, in how many texts both marked or said that nothing is there, and their F1.

    `exact` counts spans with the same place and label, `overlapping` those of one label that share a letter.
    Both are None where neither has marked anything.
    """

    one: str
    other: str
    documents: int
    exact: float | None
    overlapping: float | None


def of_pairs(project: Project) -> list[PairAgreement]:
    """Return each pair of people who answered the same texts, those with most of them first."""
    key = f"span-agreement:1:{project.pk}"
    if (kept := cache.get(key)) is None:
        kept = _counted(project)
        cache.set(key, kept, COUNTED_SECONDS)
    return [PairAgreement(*row) for row in kept]


def _counted(project: Project) -> list[tuple[str, str, int, float | None, float | None]]:
    answered = Annotation.objects.answered().filter(project=project, annotator__is_machine=False)
    said = answered.answers()
    by_document: dict[int, list[tuple[str, Collection[Span]]]] = defaultdict(list)
    for pk, document, name in answered.values_list("pk", "document_id", "annotator__username"):
        by_document[document].append((name, said[pk].spans))
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for given in by_document.values():
        for (one, mine), (other, theirs) in combinations(sorted(given, key=lambda row: row[0]), 2):
            found = sums[one, other]
            found[0] += 1
            found[1] += len(mine) + len(theirs)
            found[2] += 2 * len({*mine} & {*theirs})
            found[3] += _touched(mine, theirs) + _touched(theirs, mine)
    rows = [(*pair, n, exact / of if of else None, near / of if of else None)
            for pair, (n, of, exact, near) in sums.items()]  # fmt: skip
    return sorted(rows, key=lambda row: (-row[2], row[:2]))


def _touched(spans: Collection[Span], others: Collection[Span]) -> int:
    """Count the spans that share a letter with one of the others that has the same label."""
    return sum(any(a.label == b.label and a.start < b.end and b.start < a.end for b in others) for a in spans)
