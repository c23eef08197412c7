"""One page of documents, with everything that is shown beside each."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from annotate.models import Annotation, Assignment, Document
from annotate.models.queue import AssignmentState

PAGE = 50
MOST_COUNTED = 10_000


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


def hits(documents: QuerySet[Document]) -> int:
    """Count documents up to one more than `MOST_COUNTED`; no more is read."""
    return documents.order_by()[: MOST_COUNTED + 1].count()
