"""One page of documents in an order, with everything that is shown beside each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Length, Substr

from annotate.models import Annotation, Assignment, Document, Prediction
from annotate.models.annotations import Outcome
from annotate.models.documents import Lane
from annotate.services.documents.orders import Listing, ListPlace

PAGE = 50
MOST_COUNTED = 10_000
HEAD_CHARS = 20_000  # of a text that are read to show a part of it


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document and what its cells say beside it.

    Where `is_learned`, a model may have learned this very text: what it says of it proves nothing and is not
    told.
    """

    document: Document
    decided_at: datetime | None
    is_learned: bool
    predicted: Prediction | None


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Documents in their order; `back` and `following` are the places that the pages beside it begin at.

    `hits` is how many documents there are, up to one more than `MOST_COUNTED`, where that was asked for.
    """

    rows: list[DocumentRow]
    back: ListPlace | None = None
    following: ListPlace | None = None
    hits: int | None = None


def page(listing: Listing, *, after: ListPlace | None = None, until: ListPlace | None = None) -> DocumentPage:
    """Return the documents next to a place; the first page where none is named."""
    if until is not None:
        found = listing.next_to(until, backwards=True, most=PAGE + 1)
        # A page that would not be full is the first one, so that it is the same from wherever one comes.
        if len(found) > PAGE:
            found = found[PAGE - 1 :: -1]
            return DocumentPage(_rows(found), back=found[0], following=found[-1])
        after = None
    found = listing.next_to(after, backwards=False, most=PAGE + 1)
    has_more, found = len(found) > PAGE, found[:PAGE]
    back = found[0] if found else after
    if after is None or back is None or not listing.next_to(back, backwards=True, most=1):
        back = None
    return DocumentPage(_rows(found), back=back, following=found[-1] if has_more else None)


def first_page(listing: Listing) -> DocumentPage:
    """Return the first page, with its hits."""
    found, hits = listing.beginning(most=PAGE + 1, counted=MOST_COUNTED + 1)
    shown_here = found[:PAGE]
    return DocumentPage(_rows(shown_here), following=shown_here[-1] if len(found) > PAGE else None, hits=hits)


def _rows(places: list[ListPlace]) -> list[DocumentRow]:
    return shown([place.pk for place in places])


def shown(keys: list[int]) -> list[DocumentRow]:
    """Return documents by their keys, in that order, with what stands in their rows."""
    annotations = (
        Annotation.objects.select_related("annotator")
        .prefetch_related("choices__label", "spans__label")
        .order_by("pk")
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
    prediction, is_learned = getattr(document, "prediction", None), document.lane == Lane.POOL and is_answered
    return DocumentRow(
        document,
        decided_at=max((annotation.updated_at for annotation in annotations), default=None),
        is_learned=is_learned and prediction is not None,
        predicted=None if is_learned else prediction,
    )


def hits(documents: QuerySet[Document]) -> int:
    """Count documents up to one more than `MOST_COUNTED`; no more is read."""
    return documents.order_by()[: MOST_COUNTED + 1].count()
