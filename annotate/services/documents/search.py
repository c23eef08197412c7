"""Finding documents by what people and models said of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, TextField
from django.db.models.functions import Cast

from annotate.models import Annotation, AnnotationLabel, Assignment, Document, Prediction, Project
from annotate.models.documents import Lane
from annotate.models.queue import AssignmentState

PAGE = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """What a documents page shows; `label` is what people answered, `decided` what the model decides.

    `missed` and `wrong` are labels: documents that have it and the model does not say so, and the reverse.
    """

    lane: str = ""
    half: str = ""
    outcome: str = ""
    label: int | None = None
    decided: int | None = None
    annotator: int | None = None
    missed: int | None = None
    wrong: int | None = None
    disagree: bool = False
    q: str = ""


def find(project: Project, filters: Filters) -> QuerySet[Document]:
    documents: QuerySet[Document] = project.documents.all()
    if filters.lane:
        documents = documents.filter(lane=filters.lane)
    if filters.half:
        documents = documents.filter(half=filters.half)
    if filters.q:
        documents = documents.filter(Q(text__icontains=filters.q) | Q(external_id=filters.q))
    documents = _by_annotation(documents, filters)
    if filters.decided is not None:
        documents = documents.filter(_decided(filters.decided))
    if filters.missed is not None:
        documents = documents.exclude(prediction=None).filter(
            _answered(filters.missed), ~_decided(filters.missed)
        )
    if filters.wrong is not None:
        documents = documents.filter(_answered(), ~_answered(filters.wrong), _decided(filters.wrong))
    if filters.disagree:
        documents = documents.filter(pk__in=disagreements(project))
    return documents


def page(documents: QuerySet[Document], *, before: int | None) -> list[Document]:
    """Return the newest documents older than `before`, one more than a page if there are more."""
    annotations = (
        Annotation.objects.select_related("annotator").prefetch_related("choices__label").order_by("pk")
    )
    rows = documents.filter(pk__lt=before) if before is not None else documents
    waiting = Assignment.objects.filter(document=OuterRef("pk")).exclude(state=AssignmentState.DONE)
    return list(
        rows.select_related("prediction__version")
        .prefetch_related(Prefetch("annotations", annotations))
        .annotate(is_queued=Exists(waiting))
        .order_by("-pk")[: PAGE + 1]
    )


def disagreements(project: Project) -> list[int]:
    """Return the holdout documents whose decision by the model is not anybody's answer.

    Gold answers come before all others. Only the holdout lane is read, which is a small part of a project.
    """
    holdout = {"document__project": project, "document__lane": Lane.HOLDOUT}
    decided = dict(Prediction.objects.filter(**holdout).values_list("document_id", "decided"))
    answers: dict[int, list[tuple[bool, set[int]]]] = {}
    annotations = Annotation.objects.answered().filter(**holdout).prefetch_related("choices")
    for annotation in annotations:
        chosen = {choice.label_id for choice in annotation.choices.all()}
        answers.setdefault(annotation.document_id, []).append((annotation.is_gold, chosen))
    return [
        document
        for document, given in answers.items()
        if document in decided and set(decided[document]) not in _valid(given)
    ]


def _valid(answers: list[tuple[bool, set[int]]]) -> list[set[int]]:
    gold = [chosen for is_gold, chosen in answers if is_gold]
    return gold or [chosen for _is_gold, chosen in answers]


def _by_annotation(documents: QuerySet[Document], filters: Filters) -> QuerySet[Document]:
    annotations = Annotation.objects.filter(document=OuterRef("pk"))
    if filters.outcome == "none":
        return documents.filter(~Exists(annotations))
    if filters.annotator is not None:
        annotations = annotations.filter(annotator=filters.annotator)
    if filters.outcome:
        annotations = annotations.filter(outcome=filters.outcome)
    if filters.label is not None:
        chosen = AnnotationLabel.objects.filter(annotation=OuterRef("pk"), label=filters.label)
        annotations = annotations.filter(Exists(chosen))
    is_asked = filters.annotator is not None or filters.outcome or filters.label is not None
    return documents.filter(Exists(annotations)) if is_asked else documents


def _answered(label: int | None = None) -> Exists:
    answers = Annotation.objects.answered().filter(document=OuterRef("pk"))
    return Exists(answers.filter(choices__label=label) if label is not None else answers)


def _decided(label: int) -> Exists:
    # No containment in JSON is known to both databases, so the stored list is searched as text.
    predictions = Prediction.objects.filter(document=OuterRef("pk")).annotate(
        decided_text=Cast("decided", TextField())
    )
    return Exists(predictions.filter(decided_text__regex=rf"[\[ ,]{label:d}[\],]"))
