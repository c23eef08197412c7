"""One page of documents in an order, with everything that is shown beside each.

A page begins or ends at a place, which is a value of the order and the key of a document: what lies next to
it is found by an index, wherever in the list it is, and stays found when documents come or go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Length, Substr

from annotate.models import Annotation, Assignment, Document
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane

PAGE = 50
MOST_COUNTED = 10_000
HEAD_CHARS = 20_000  # of a text that are read to show a part of it


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document and what its cells say beside it.

    `is_learned` where a model may have learned this very text, so that what it says of it proves nothing.
    """

    document: Document
    decided_at: datetime | None
    is_learned: bool


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Documents in their order; `back` and `following` are the places that the pages beside it begin at."""

    rows: list[DocumentRow]
    back: int | None = None
    following: int | None = None


def page(
    documents: QuerySet[Document], *, after: int | None = None, until: int | None = None
) -> DocumentPage:
    """Return the documents next to a place, the newest first; the first page where none is named."""
    newest_first = documents.order_by("-pk").values_list("pk", flat=True)
    if until is not None:
        keys = list(newest_first.filter(pk__gt=until).reverse()[: PAGE + 1])
        # A page that would not be full is the first one, so that it is the same from wherever one comes.
        if len(keys) > PAGE:
            keys = keys[PAGE - 1 :: -1]
            return DocumentPage(shown(keys), back=keys[0], following=keys[-1])
        after = None
    keys = list((newest_first.filter(pk__lt=after) if after is not None else newest_first)[: PAGE + 1])
    has_more, keys = len(keys) > PAGE, keys[:PAGE]
    has_back = after is not None and newest_first.filter(pk__gte=after).exists()
    return DocumentPage(
        shown(keys),
        back=(keys[0] if keys else (after or 1) - 1) if has_back else None,
        following=keys[-1] if has_more else None,
    )


def shown(keys: list[int]) -> list[DocumentRow]:
    """Return documents by their keys, in that order, with what stands in their rows."""
    annotations = (
        Annotation.objects.select_related("annotator").prefetch_related("choices__label").order_by("pk")
    )
    places = Assignment.objects.filter(batch__isnull=False).select_related("batch").order_by("slot")
    found = (
        Document.objects.filter(pk__in=keys)
        .select_related("prediction__version")
        .prefetch_related(Prefetch("annotations", annotations), Prefetch("assignments", places))
        .annotate(head=Substr("text", 1, HEAD_CHARS), length=Length("text"))
        .defer("text")
    )
    rows = {document.pk: _row(document) for document in found}
    return [rows[key] for key in keys if key in rows]


def _row(document: Document) -> DocumentRow:
    annotations = list(document.annotations.all())
    is_answered = any(annotation.outcome == Outcome.ANSWERED for annotation in annotations)
    return DocumentRow(
        document,
        decided_at=max((annotation.updated_at for annotation in annotations), default=None),
        is_learned=document.lane == Lane.POOL and is_answered,
    )


def hits(documents: QuerySet[Document]) -> int:
    """Count documents up to one more than `MOST_COUNTED`; no more is read."""
    return documents.order_by()[: MOST_COUNTED + 1].count()
