"""What suggestions are worth: how often people take them, whether rightly, and how long decisions take."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median

from django.core.cache import cache

from annotate.models import Annotation, Decision, Project
from annotate.models.annotations import Source
from annotate.task_types.answers import labels_of
from training.figures.evidence import is_enough
from training.types import Answer

NEWEST = 2_000  # decisions that are looked at: they show the present, and all would take long
KEPT_SECONDS = 60  # for which an overview tells the same figures


@dataclass(frozen=True, slots=True)
class SuggestionWorth:
    """Of the newest decisions on the labelling page: how many had a suggestion, and what became of it.

    Of those `taken` as they were, `checked` are on a document with a gold answer, which `right` of them
    equal; `corrected` were changed by the same person later. The medians of seconds are None where too few
    decisions have them.
    """

    shown: int
    taken: int
    checked: int
    right: int
    corrected: int
    seconds_with: float | None
    seconds_without: float | None

    @property
    def is_measured(self) -> bool:
        return is_enough(self.shown)

    @property
    def share_taken(self) -> float:
        return self.taken / self.shown

    @property
    def share_right(self) -> float | None:
        return self.right / self.checked if is_enough(self.checked) else None


def worth(project: Project) -> SuggestionWorth:
    key = f"suggestion-worth:{project.pk}"
    kept = cache.get(key)
    if kept is None:
        kept = asdict(_worth(project))
        cache.set(key, kept, KEPT_SECONDS)
    return SuggestionWorth(**kept)


def _worth(project: Project) -> SuggestionWorth:
    decided = Annotation.objects.answered().filter(
        project=project, source=Source.WEB, annotator__is_machine=False, is_gold=False
    )
    columns = ("pk", "document_id", "shown", "seconds")
    rows = list(decided.order_by("-pk").values_list(*columns)[:NEWEST])
    offered = {pk: shown for pk, _document, shown, _seconds in rows if shown is not None and _says(shown)}
    first, last = _first_answers(list(offered)), Annotation.objects.filter(pk__in=offered).answers()
    taken = {pk for pk, shown in offered.items() if pk in first and _same(first[pk], shown)}
    documents = {pk: document for pk, document, _shown, _seconds in rows if pk in taken}
    gold = _gold(project, set(documents.values()))
    checked = {pk: gold[document] for pk, document in documents.items() if document in gold}
    return SuggestionWorth(
        shown=len(offered),
        taken=len(taken),
        checked=len(checked),
        right=sum(first[pk].same_choice(right) for pk, right in checked.items()),
        corrected=sum(not first[pk].same_choice(last[pk]) for pk in taken),
        seconds_with=_median([seconds for pk, _d, _s, seconds in rows if pk in offered]),
        seconds_without=_median([seconds for _pk, _d, shown, seconds in rows if shown is None]),
    )


def _says(shown: Answer) -> bool:
    return bool(labels_of(shown))


def _same(answer: Answer, shown: Answer) -> bool:
    """Tell whether an answer is what was suggested; the scores beside it are no part of that."""
    return answer.same_choice(Answer(shown.labels, shown.spans))


def _first_answers(annotations: list[int]) -> dict[int, Answer]:
    """Return the first decision behind each annotation: what was suggested was before the person then."""
    rows = Decision.objects.filter(annotation__in=annotations).order_by("-pk")
    return dict(rows.values_list("annotation", "answer"))


def _gold(project: Project, documents: set[int]) -> dict[int, Answer]:
    rows = Annotation.objects.answered().filter(project=project, document__in=documents, is_gold=True)
    said = rows.answers()
    return {document: said[pk] for pk, document in rows.values_list("pk", "document_id")}


def _median(seconds: list[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return median(known) if is_enough(len(known)) else None
