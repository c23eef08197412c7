"""Where the model decides otherwise than people answered."""

from __future__ import annotations

from annotate.models import Annotation, Prediction, Project
from annotate.models.documents import Lane
from training.types import Answer


def disagreements(project: Project) -> list[int]:
    """Return the holdout documents whose decision by the model is not anybody's answer.

    Gold answers come before all others. Only the holdout lane is read, which is a small part of a project.
    """
    holdout = {"document__project": project, "document__lane": Lane.HOLDOUT}
    predicted = dict(Prediction.objects.filter(**holdout).values_list("document_id", "answer"))
    answers: dict[int, list[tuple[bool, Answer]]] = {}
    annotations = Annotation.objects.answered().filter(**holdout).prefetch_related("choices")
    for annotation in annotations:
        chosen = Answer(tuple(choice.label_id for choice in annotation.choices.all()))
        answers.setdefault(annotation.document_id, []).append((annotation.is_gold, chosen))
    found = []
    for document, given in answers.items():
        gold = [chosen for is_gold, chosen in given if is_gold]
        valid = gold or [chosen for _is_gold, chosen in given]
        if document in predicted and not any(map(predicted[document].same_choice, valid)):
            found.append(document)
    return found
