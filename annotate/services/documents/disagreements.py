"""Where answers differ: the published model's from people's, and people's from each other."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.db.models.fields.json import KeyTextTransform

from annotate.models import Annotation, OutOfFoldScore, Project
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
    predicted = dict(
        of_answered.annotate(
            predicted=KeyTextTransform("labels", "document__prediction__answer")
        ).values_list("document_id", "predicted")
    )
    found = []
    for document, given in _given(answered).items():
        if document not in predicted:
            continue
        gold = [labels for is_gold, labels in given if is_gold]
        valid = gold or [labels for _is_gold, labels in given]
        if set(json.loads(predicted[document])) not in valid:
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
