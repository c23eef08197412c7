"""All that is known of one document: what people said of it and when, what stands near it, its events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.utils.translation import gettext as _

from annotate.models import (
    Annotation,
    Assignment,
    BulkItem,
    Decision,
    Document,
    Event,
    OutOfFoldScore,
    Project,
)
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.models.queue import AssignmentState
from annotate.models.versions import Stage
from annotate.services.documents.orders import Listing, Sorting
from annotate.task_types import answers
from training.types import Answer, Json

MOST_NEAR = 20  # near duplicates that are listed; a template with holes may have thousands
MOST_EVENTS = 50

Scored = list[tuple[str, float | None]]


@dataclass(frozen=True, slots=True)
class AnnotationHistory:
    """One person's annotation: what was suggested to them, and every decision that it replaced.

    `suggested` is None where no suggestion was shown, and empty where it was that no label applies.
    `is_taken` is None where there is nothing to compare.
    """

    annotation: Annotation
    suggested: Scored | None
    is_taken: bool | None
    earlier: list[tuple[Decision, list[str]]]


def said_of(document: Document) -> list[AnnotationHistory]:
    """Return every annotation of a document, the gold one first and then the oldest."""
    project, names = document.project, label_names(document.project)
    rows = (
        document.annotations.select_related("annotator", "shown_version")
        .prefetch_related(
            "choices__label", "spans__label", Prefetch("decisions", Decision.objects.order_by("pk"))
        )
        .order_by("-is_gold", "pk")
    )
    return [_told(project, row, names) for row in rows]


def _told(project: Project, annotation: Annotation, names: Mapping[int, str]) -> AnnotationHistory:
    chosen = annotation.answer
    suggested, is_taken = None, None
    if annotation.shown is not None:
        version = annotation.shown_version
        shown = annotation.shown.told(calibrated=version is not None and version.calibrated)
        ranked = project.task_type.suggested(shown, names)
        suggested = [(names[label], score) for label, score in ranked]
        if annotation.outcome == Outcome.ANSWERED:
            is_taken = chosen.same_choice(project.task_type.proposal(shown, names))
    decisions = list(annotation.decisions.all())
    # What an import replaced has no decision that stands for it, so that the last one is an earlier one.
    if decisions and (
        decisions[-1].outcome == annotation.outcome and decisions[-1].answer.same_choice(chosen)
    ):
        decisions.pop()
    return AnnotationHistory(
        annotation,
        suggested,
        is_taken,
        [(decision, in_names(decision.answer, names)) for decision in decisions],
    )


def label_names(project: Project) -> dict[int, str]:
    """Return the names of a project's labels, archived ones too, in their order."""
    return dict(project.labels.values_list("pk", "name"))


def in_names(answer: Answer, names: Mapping[int, str]) -> list[str]:
    return [names.get(int(label)) or _("a label that is not there") for label in answers.labels_of(answer)]


def may_have_been_learned(document: Document) -> bool:
    """Tell whether a model may have learned this very text, so that what it says of it proves nothing."""
    return document.lane == Lane.POOL and document.annotations.answered().exists()


def out_of_fold(document: Document) -> OutOfFoldScore | None:
    """Return what the published version's folds say of a text that it learned; None where it had none."""
    found: OutOfFoldScore | None = getattr(document, "out_of_fold", None)
    return found if found is not None and found.version.stage == Stage.PUBLISHED else None


def metadata(document: Document) -> list[tuple[str, str]]:
    """Return what was imported beside the text as rows of plain text; what is nested as compact JSON."""
    if not isinstance(document.meta, dict):
        return [("", plain(document.meta))] if document.meta is not None else []
    return [(str(key), plain(value)) for key, value in document.meta.items()]


def plain(value: Json) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def near_duplicates(document: Document) -> tuple[list[Document], bool]:
    """Return other documents whose text is nearly the same, and whether there are more than are listed."""
    if not document.split_key:
        return [], False
    others = Document.objects.filter(project=document.project_id, split_key=document.split_key)
    answered = (
        Annotation.objects.answered()
        .select_related("annotator")
        .prefetch_related("choices__label", "spans__label")
    )
    found = list(
        others.exclude(pk=document.pk)
        .prefetch_related(Prefetch("annotations", answered.order_by("pk")))
        .order_by("-pk")[: MOST_NEAR + 1]
    )
    return found[:MOST_NEAR], len(found) > MOST_NEAR


def events(document: Document) -> QuerySet[Event]:
    return Event.objects.filter(document_id=document.pk, project_id=document.project_id)[:MOST_EVENTS]


def bulk_items(document: Document) -> QuerySet[BulkItem]:
    """Return what changed this document together with many others, the newest first."""
    return document.bulk_items.select_related("bulk__by").defer("bulk__packed").order_by("-pk")[:MOST_EVENTS]


def is_queued(document: Document) -> bool:
    return Assignment.objects.filter(document=document).exclude(state=AssignmentState.DONE).exists()


def neighbours(document: Document, listing: Listing, sorting: Sorting) -> tuple[int | None, int | None]:
    """Return the keys of the documents before and after this one in a list, which need not hold it."""
    place = sorting.place_of(document)
    before, after = (listing.next_to(place, backwards=is_back, most=1) for is_back in (True, False))
    return before[0].pk if before else None, after[0].pk if after else None
