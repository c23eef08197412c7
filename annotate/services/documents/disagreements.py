"""Where answers differ: the published model's from people's, and people's from each other."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, QuerySet

from annotate.models import Annotation, OutOfFoldScore, Project
from annotate.models.annotations import AnnotationQuerySet
from annotate.models.documents import Lane
from annotate.models.versions import Stage
from training.types import Span

Choice = tuple[frozenset[str | int], frozenset[Span]]
COUNTED_SECONDS = 30  # for which the documents page tells the same numbers: they take a look at every answer


@dataclass(frozen=True, slots=True)
class Disagreements:
    """How many documents there are of each kind."""

    with_model: int
    among_annotators: int
    likely_errors: int

    @property
    def any(self) -> bool:
        return bool(self.with_model or self.among_annotators or self.likely_errors)


def count(project: Project) -> Disagreements:
    """Count each kind, which few answers more or less may have changed since."""
    key = f"disagreements:3:{project.pk}"
    if (kept := cache.get(key)) is None:
        kept = [len(with_model(project)), len(among_annotators(project)), likely_errors(project).count()]
        cache.set(key, kept, COUNTED_SECONDS)
    return Disagreements(*kept)


def with_model(project: Project) -> list[int]:
    """Return the documents of both lanes that people answered otherwise than the model does.

    Of the holdout those whose decision by the published model is not anybody's answer; gold answers come
    before all others, and documents that the model is silent about are left out. Of the pool the model has
    learned what people said, so that it agrees there says nothing: what counts is what its folds say.
    """
    return [*_in_holdout(project), *_out_of_fold(project, disagrees=True).values_list("document", flat=True)]


def likely_errors(project: Project) -> QuerySet[OutOfFoldScore]:
    """Return the scores out of fold of pool documents whose label is probably wrong."""
    return _out_of_fold(project, is_suspect=True)


def _out_of_fold(project: Project, **wanted: bool) -> QuerySet[OutOfFoldScore]:
    """Return scores by the published version's folds, without documents decided on since it learned."""
    decided = Annotation.objects.filter(document=OuterRef("document"))
    return OutOfFoldScore.objects.filter(
        Exists(decided.answered()),
        ~Exists(decided.filter(updated_at__gt=OuterRef("learned_at"))),
        project=project,
        version__stage=Stage.PUBLISHED,
        document__lane=Lane.POOL,
        **wanted,
    )


def _in_holdout(project: Project) -> list[int]:
    answered = Annotation.objects.answered().filter(project=project, document__lane=Lane.HOLDOUT)
    # NB: asked from the answers, as there are fewer of them than predictions.
    of_answered = answered.filter(document__prediction__isnull=False)
    predicted = dict(of_answered.values_list("document_id", "document__prediction__answer"))
    found = []
    for document, given in _given(project, answered).items():
        if document not in predicted:
            continue
        gold = [choice for is_gold, choice in given if is_gold]
        valid = gold or [choice for _is_gold, choice in given]
        if predicted[document].choice not in valid:
            found.append(document)
    return found


def among_annotators(project: Project) -> list[int]:
    """Return the documents of either lane that were answered differently, and that no gold answer settles.

    Answers that came with a file count as an annotator's.
    """
    answered = Annotation.objects.answered().filter(project=project)
    several = answered.values("document").annotate(answers=Count("pk")).filter(answers__gt=1)
    compared = answered.filter(document__in=several.values("document"))
    return [
        document
        for document, given in _given(project, compared).items()
        if not any(is_gold for is_gold, _choice in given)
        and any(choice != given[0][1] for _is_gold, choice in given)
    ]


def _given(project: Project, annotations: AnnotationQuerySet) -> dict[int, list[tuple[bool, Choice]]]:
    """Return for each document its answers, and whether each is gold.

    NB: in rows of plain values, as a project may have 100,000 answers.
    """
    said = annotations.answers(project.task_type.answer_rows)
    given: dict[int, list[tuple[bool, Choice]]] = {}
    for document, annotation, is_gold in annotations.values_list("document_id", "pk", "is_gold"):
        given.setdefault(document, []).append((is_gold, said[annotation].choice))
    return given
