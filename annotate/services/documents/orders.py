"""The orders of the documents page, and what lies next to a place in one of them.

A place is a value of the order and the key of a document. What lies next to it is found by an index, wherever
in the list it is: among a million documents it takes no longer than among fifty, forth as well as back.
Documents without a value come last, whatever the direction, the newest first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Length
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from annotate.models import Annotation, Document, Prediction, Project

MOST_SORTED = 10_000  # documents that fit a filter and are sorted as a list


@dataclass(frozen=True, slots=True)
class ListPlace:
    value: Any
    pk: int


@dataclass(frozen=True, slots=True)
class Order:
    """One value that documents are ordered by; its titles are those of both directions.

    `of_document` is the value as an expression. `walked` has one row for each document of a project with a
    value, whose fields `value` and `key` hold it and the document's key, and an index that begins with the
    project. Where its rows may have no value as well, no value is below `lowest`.
    """

    ascending: Any
    descending: Any
    of_document: Any
    walked: Callable[[Project, QuerySet[Document]], QuerySet[Any]]
    value: str
    key: str
    read: Callable[[str], Any]
    may_lack: bool = True
    lowest: float | None = None


def _read_key(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(text)
    return int(text)


def _read_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _read_time(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None or timezone.is_naive(moment):
        raise ValueError(text)
    return moment


def _latest(project: Project, _documents: QuerySet[Document]) -> QuerySet[Annotation]:
    """Return of each document the annotation that was changed last."""
    later = Q(updated_at__gt=OuterRef("updated_at"))
    same = Q(updated_at=OuterRef("updated_at"), pk__gt=OuterRef("pk"))
    others = Annotation.objects.filter(later | same, document=OuterRef("document"))
    return Annotation.objects.filter(~Exists(others), project=project)


def _last_decision() -> Subquery:
    annotations = Annotation.objects.filter(document=OuterRef("pk")).order_by("-updated_at")
    return Subquery(annotations.values("updated_at")[:1])


def _by_prediction(name: str, ascending: Any, descending: Any) -> Order:
    """Return the order by a figure of predictions: none where their version is not calibrated."""
    return Order(
        ascending,
        descending,
        F(f"prediction__{name}"),
        lambda project, documents: Prediction.objects.filter(project=project),
        value=name,
        key="document_id",
        read=_read_number,
        lowest=0,
    )


ORDERS = {
    "imported": Order(
        _("Oldest first"),
        _("Newest first"),
        F("pk"),
        lambda project, documents: documents,
        value="pk",
        key="pk",
        read=_read_key,
        may_lack=False,
    ),
    "length": Order(
        _("Shortest text first"),
        _("Longest text first"),
        Length("text"),
        lambda project, documents: documents.annotate(length=Length("text")),
        value="length",
        key="pk",
        read=_read_key,
        may_lack=False,
    ),
    "confidence": _by_prediction("confidence", _("Least confident first"), _("Most confident first")),
    "margin": _by_prediction("margin", _("Narrowest margin first"), _("Widest margin first")),
    "decided": Order(
        _("Decided on long ago first"),
        _("Decided on last first"),
        _last_decision(),
        _latest,
        value="updated_at",
        key="document_id",
        read=_read_time,
    ),
}
USUAL = "-imported"
BEGIN_ASCENDING = {"confidence", "margin"}  # what a model is least sure of is looked at first
CHOICES = [
    (f"{sign}{name}", title)
    for name, order in ORDERS.items()
    for sign, title in (("-", order.descending), ("", order.ascending))
]


@dataclass(frozen=True, slots=True)
class Sorting:
    """An order in one of its directions, as `name` or `-name` in an address."""

    name: str

    @property
    def order(self) -> Order:
        return ORDERS[self.name.removeprefix("-")]

    @property
    def is_descending(self) -> bool:
        return self.name.startswith("-")

    @property
    def is_by_key(self) -> bool:
        return self.order.value == self.order.key

    def direction(self, name: str) -> str:
        """Return the direction of the order `name`, or nothing where another one is in force."""
        if name != self.name.removeprefix("-"):
            return ""
        return "descending" if self.is_descending else "ascending"

    def turned(self, name: str) -> str:
        """Return the other direction where the order is `name`, or the one that `name` begins with."""
        if name == self.name.removeprefix("-"):
            return name if self.is_descending else f"-{name}"
        return name if name in BEGIN_ASCENDING else f"-{name}"

    def place_of(self, document: Document) -> ListPlace:
        valued = Document.objects.annotate(value=self.order.of_document).values_list("value", "pk")
        return ListPlace(*valued.get(pk=document.pk))

    def write(self, place: ListPlace) -> str:
        if self.is_by_key:
            return str(place.pk)
        value = place.value.isoformat() if isinstance(place.value, datetime) else place.value
        return f"{'' if value is None else value}_{place.pk}"

    def read(self, text: str) -> ListPlace:
        """Return the place that `write` wrote; raises `ValueError` for any other text."""
        value, sign, key = text.rpartition("_")
        pk = _read_key(key)
        if self.is_by_key and not sign:
            return ListPlace(pk, pk)
        if self.is_by_key or not sign:
            raise ValueError(text)
        return ListPlace(self.order.read(value) if value else None, pk)


class Listing(Protocol):
    """Documents in an order."""

    def next_to(self, place: ListPlace | None, *, backwards: bool, most: int) -> list[ListPlace]:
        """Return what lies next to a place, the nearest first; from the beginning where none is named."""

    def beginning(self, *, most: int, counted: int) -> tuple[list[ListPlace], int]:
        """Return what it begins with, and how many documents there are, of which no more are counted."""


def listing(
    project: Project, documents: QuerySet[Document], sorting: Sorting, *, is_narrowed: bool
) -> Listing:
    """Return documents of a project in an order.

    Where few of them fit a filter these are sorted: an index would be walked for long until it meets them.
    """
    if is_narrowed and not sorting.is_by_key:
        valued = documents.order_by().annotate(value=sorting.order.of_document).values_list("value", "pk")
        found = [ListPlace(value, pk) for value, pk in valued[: MOST_SORTED + 1]]
        if len(found) <= MOST_SORTED:
            return SortedListing(found, is_descending=sorting.is_descending)
    return WalkedListing(project, documents, sorting, is_narrowed=is_narrowed)


class SortedListing:
    """Few documents, in a list."""

    def __init__(self, places: list[ListPlace], *, is_descending: bool) -> None:
        self._is_descending = is_descending
        valued = [place for place in places if place.value is not None]
        valued.sort(key=lambda place: (place.value, place.pk), reverse=is_descending)
        lacking = [place for place in places if place.value is None]
        self._places = valued + sorted(lacking, key=lambda place: -place.pk)

    def next_to(self, place: ListPlace | None, *, backwards: bool, most: int) -> list[ListPlace]:
        if backwards:
            found = [other for other in reversed(self._places) if place and self._is_ahead(other, place)]
        else:
            found = [other for other in self._places if place is None or self._is_ahead(place, other)]
        return found[:most]

    def beginning(self, *, most: int, counted: int) -> tuple[list[ListPlace], int]:
        return self._places[:most], min(counted, len(self._places))

    def _is_ahead(self, one: ListPlace, other: ListPlace) -> bool:
        if one.value is None or other.value is None:
            return (one.value is not None, one.pk) > (other.value is not None, other.pk)
        pairs = (one.value, one.pk), (other.value, other.pk)
        return pairs[0] > pairs[1] if self._is_descending else pairs[0] < pairs[1]


class WalkedListing:
    """Documents as an index has them."""

    def __init__(
        self, project: Project, documents: QuerySet[Document], sorting: Sorting, *, is_narrowed: bool
    ) -> None:
        self._order = order = sorting.order
        self._is_descending = sorting.is_descending
        self._documents = documents
        self._valued = order.walked(project, documents)
        if is_narrowed and order.key != "pk":
            self._valued = self._valued.filter(Exists(documents.filter(pk=OuterRef(order.key))))

    def next_to(self, place: ListPlace | None, *, backwards: bool, most: int) -> list[ListPlace]:
        found: list[ListPlace] = []
        for rows in self._stretches(place, backwards):
            found += [ListPlace(value, pk) for value, pk in rows[: most - len(found)]]
            if len(found) == most:
                break
        return found

    def beginning(self, *, most: int, counted: int) -> tuple[list[ListPlace], int]:
        # NB: once for both where it can be. To find a few documents often takes a look at all of them.
        if self._order.value == self._order.key:
            return _counted(self._documents, "-pk" if self._is_descending else "pk", most, counted)
        found = self.next_to(None, backwards=False, most=most)
        return found, self._documents.order_by()[:counted].count()

    def _stretches(self, place: ListPlace | None, backwards: bool) -> Iterator[QuerySet[Any]]:
        """Yield what follows a place, each part of it a range of an index."""
        value, key = self._order.value, self._order.key
        sign, beyond = ("-", "lt") if self._is_descending != backwards else ("", "gt")
        valued = self._valued.order_by(f"{sign}{value}", f"{sign}{key}").values_list(value, key)
        lacking = (
            self._documents.annotate(value=self._order.of_document)
            .filter(value__isnull=True)
            .order_by("pk" if backwards else "-pk")
            .values_list("value", "pk")
        )
        # NB: a bound that an index can use; SQLite has none for IS NOT NULL.
        lowest = self._order.lowest
        whole = valued if lowest is None else valued.filter(**{f"{value}__gte": lowest})
        if place is None:
            yield whole
        elif place.value is None:
            yield lacking.filter(**{f"pk__{'gt' if backwards else 'lt'}": place.pk})
            if backwards:
                yield whole
        else:
            if value != key:
                # NB: SQLite would sort what is equal by an expression, if it were told to.
                equal = valued.order_by(f"{sign}{key}")
                yield equal.filter(**{value: place.value, f"{key}__{beyond}": place.pk})
            yield valued.filter(**{f"{value}__{beyond}": place.value})
        if self._order.may_lack and not backwards and (place is None or place.value is not None):
            yield lacking


def _counted(
    documents: QuerySet[Document], order: str, most: int, counted: int
) -> tuple[list[ListPlace], int]:
    """Return the first documents by key, and how many there are, from one look at them."""
    try:
        found, params = (
            documents.order_by(order).values_list("pk")[: max(most, counted)].query.sql_with_params()
        )
    except EmptyResultSet:
        return [], 0
    direction = "DESC" if order.startswith("-") else "ASC"
    statement = (
        f"WITH found(pk) AS MATERIALIZED ({found}) "
        f"SELECT pk, (SELECT count(*) FROM found) FROM found ORDER BY pk {direction} LIMIT %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, most])
        rows = cursor.fetchall()
    return [ListPlace(pk, pk) for pk, _hits in rows], min(counted, rows[0][1]) if rows else 0
