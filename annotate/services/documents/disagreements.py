"""Where answers differ: the published model's from people's, and people's from each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotate.models import Annotation, AnnotationLabel, OutOfFoldScore, PredictedLabel, Project
from annotate.models.documents import Lane
from annotate.models.versions import Stage

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
        kept = [with_model(project).count(), len(among_annotators(project)), likely_errors(project).count()]
        cache.set(key, kept, COUNTED_SECONDS)
    return Disagreements(*kept)


def with_model(project: Project) -> QuerySet[Any, int]:
    """Return the keys of the documents of both lanes that people answered otherwise than the model does.

    Of the holdout those whose decision by the published model is not anybody's answer; gold answers come
    before all others, and documents that the model is silent about are left out. Of the pool the model has
    learned what people said, so that it agrees there says nothing: what counts is what its folds say.
    """
    folds = _out_of_fold(project, disagrees=True)
    return _in_holdout(project).values_list("document").union(folds.values_list("document"))


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


def _in_holdout(project: Project) -> QuerySet[Annotation]:
    """Return answers in the holdout, all of whose documents are meant."""
    # NB: written from the answers, of which there are fewer than predictions; of those that differ, which
    # are few again, the other answers of the document are looked at.
    answered = Annotation.objects.answered()
    others = answered.filter(document=OuterRef("document")).exclude(pk=OuterRef("pk"))
    return answered.filter(
        _differs(),
        Q(is_gold=True) | ~Exists(others.filter(Q(is_gold=True) | ~_differs())),
        project=project,
        document__lane=Lane.HOLDOUT,
        document__prediction__isnull=False,
    )


def _differs() -> Q:
    """Return which answers have a label that the model does not say, or lack one that it says."""
    chosen = AnnotationLabel.objects.filter(annotation=OuterRef("pk"))
    said = PredictedLabel.objects.filter(prediction=OuterRef("document"))
    not_said = chosen.filter(
        ~Exists(
            PredictedLabel.objects.filter(
                prediction=OuterRef(OuterRef("document")), label=OuterRef("label_id")
            )
        )
    )
    not_chosen = said.filter(
        ~Exists(
            AnnotationLabel.objects.filter(annotation=OuterRef(OuterRef("pk")), label_id=OuterRef("label"))
        )
    )
    return Q(Exists(not_said)) | Q(Exists(not_chosen))


def among_annotators(project: Project) -> list[int]:
    """Return the documents of either lane that were answered differently, and that no gold answer settles.

    Answers that came with a file count as an annotator's.
    """
    answered = Annotation.objects.answered().filter(project=project)
    several = answered.values("document").annotate(answers=Count("pk")).filter(answers__gt=1)
    compared = answered.filter(document__in=several.values("document"))
    return [
        document
        for document, given in _given(compared).items()
        if not any(is_gold for is_gold, _labels in given)
        and any(labels != given[0][1] for _is_gold, labels in given)
    ]


def _given(annotations: QuerySet[Annotation]) -> dict[int, list[tuple[bool, set[int]]]]:
    """Return for each document its answers as labels, and whether each is gold.

    NB: in rows of plain values, as a project may have 100,000 answers.
    """
    answers: dict[int, dict[int, tuple[bool, set[int]]]] = {}
    for document, annotation, is_gold, label in annotations.values_list(
        "document_id", "pk", "is_gold", "choices__label"
    ):
        _gold, labels = answers.setdefault(document, {}).setdefault(annotation, (is_gold, set()))
        if label is not None:  # as where none applies
            labels.add(label)
    return {document: list(given.values()) for document, given in answers.items()}
