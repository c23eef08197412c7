"""Where answers differ: the published model's from people's, and people's from each other."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, QuerySet

from annotate.models import Annotation, Prediction, Project
from annotate.models.documents import Lane
from training.types import Answer


@dataclass(frozen=True, slots=True)
class Disagreements:
    """The keys of the documents of each kind."""

    with_model: list[int]
    among_annotators: list[int]


def find(project: Project) -> Disagreements:
    """Return both kinds of disagreement in a project."""
    return Disagreements(with_model(project), among_annotators(project))


def with_model(project: Project) -> list[int]:
    """Return the holdout documents whose decision by the model is not anybody's answer.

    Gold answers come before all others. Only the holdout is compared: of the pool the model has learned what
    people said, so that it agrees there says nothing. Documents that it is silent about are left out.
    """
    holdout = Prediction.objects.filter(document__project=project, document__lane=Lane.HOLDOUT)
    answered = Annotation.objects.answered().filter(project=project, document__lane=Lane.HOLDOUT)
    predicted = dict(
        holdout.filter(document__in=answered.values("document")).values_list("document_id", "answer")
    )
    found = []
    for document, given in _given(answered).items():
        gold = [chosen for is_gold, chosen in given if is_gold]
        valid = gold or [chosen for _is_gold, chosen in given]
        if document in predicted and not any(map(predicted[document].same_choice, valid)):
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
        if not any(is_gold for is_gold, _chosen in given) and len({chosen.choice for _, chosen in given}) > 1
    ]


def _given(annotations: QuerySet[Annotation]) -> dict[int, list[tuple[bool, Answer]]]:
    """Return for each document its answers, and whether each is gold."""
    answers: dict[int, list[tuple[bool, Answer]]] = {}
    for annotation in annotations.prefetch_related("choices"):
        chosen = Answer(tuple(choice.label_id for choice in annotation.choices.all()))
        answers.setdefault(annotation.document_id, []).append((annotation.is_gold, chosen))
    return answers
