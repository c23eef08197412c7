"""What the labelling page reads within its transaction, as queries that are written once and run many times.

Writing SQL costs Django ten times what SQLite needs to run it. Where every decision waits for the query, and
for the transaction it is in, the SQL is kept and only its parameters change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.sql.compiler import SQLCompiler

from annotate.models import Annotation, Assignment, Batch, Card, Comment, Decision, User
from annotate.models.queue import AssignmentState

Row = tuple[Any, ...]
# Values that no real parameter has. Where they appear in the SQL, a call's own parameters are put.
_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda n: -7_000_000_000_000_000_000 - n,
    uuid.UUID: lambda n: uuid.UUID(int=(0xF00D << 112) + n),
    datetime: lambda n: datetime(1, 1, 1, 0, 0, n, tzinfo=UTC),
}


class CompiledQuery:
    """The rows of `build(**parameters)`, a `values_list`; `types` are those of its parameters by name.

    The query's shape must not depend on the parameters; None, for example, would make other SQL.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]], **types: type) -> None:
        self.build = build
        self._stand_ins = {name: _STAND_INS[kind](n) for n, (name, kind) in enumerate(types.items())}
        self._known: dict[str, tuple[SQLCompiler, str, list[Any]]] = {}

    def rows(self, **parameters: Any) -> list[Row]:
        if connection.vendor not in self._known:
            compiler = self.build(**self._stand_ins).query.get_compiler(connection=connection)
            sql, params = compiler.as_sql()
            names = {_sent(value): name for name, value in self._stand_ins.items()}
            places = [_Parameter(names[value]) if value in names else value for value in params]
            self._known[connection.vendor] = compiler, sql, places
        compiler, sql, places = self._known[connection.vendor]
        values = [_sent(parameters[x.name]) if isinstance(x, _Parameter) else x for x in places]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [tuple(row) for row in compiler.results_iter([cursor.fetchall()])]

    def first(self, **parameters: Any) -> Row | None:
        return next(iter(self.rows(**parameters)), None)


class _Parameter:
    def __init__(self, name: str) -> None:
        self.name = name


def _sent(value: Any) -> Any:
    """Return a value in the form in which the database takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, uuid.UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value


Rows = Any  # a values_list; its own type depends on every field
# A place with all that its card shows. With SQL that is kept, a join costs less than another query.
PLACE = (
    "pk",
    "state",
    "card",
    "annotator_id",
    "batch__version__number",
    "is_ahead",
    "document_id",
    "document__text",
    "document__lane",
    "document__prediction__version_id",
    "document__prediction__version__number",
    "document__prediction__answer",
)
IS_COMMENTED = Exists(Comment.objects.filter(document=OuterRef("document")))


# Those of the queue are no places of a list, and those of a list are of that list alone.


def _free_or_mine(project: int, annotator: int, now: datetime) -> Rows:
    return _held_or_expired(_locked(project).filter(work_list=None), annotator, now)


def _next_waiting(project: int, annotator: int) -> Rows:
    waiting = _locked(project).waiting().open_to(User(pk=annotator))
    return waiting.order_by("rank").values_list(*PLACE, IS_COMMENTED)[:1]


def _held_ahead_by_others(project: int, annotator: int) -> Rows:
    return _ahead_of_others(_locked(project).filter(work_list=None), annotator)


def _listed_free_or_mine(work_list: int, annotator: int, now: datetime) -> Rows:
    return _held_or_expired(_locked_of_list(work_list), annotator, now)


def _next_listed(work_list: int, annotator: int) -> Rows:
    listed = _locked_of_list(work_list).filter(state=AssignmentState.LISTED).open_to(User(pk=annotator))
    return listed.order_by("rank").values_list(*PLACE, IS_COMMENTED)[:1]


def _listed_ahead_by_others(work_list: int, annotator: int) -> Rows:
    return _ahead_of_others(_locked_of_list(work_list), annotator)


def _held_or_expired(places: Any, annotator: int, now: datetime) -> Rows:
    held = places.leased().filter(Q(annotator=annotator) | Q(expires_at__lt=now))
    return held.order_by("rank").values_list(*PLACE, IS_COMMENTED)


def _ahead_of_others(places: Any, annotator: int) -> Rows:
    ahead = places.leased().filter(is_ahead=True).exclude(annotator=annotator)
    return ahead.open_to(User(pk=annotator)).order_by("-rank").values_list(*PLACE, IS_COMMENTED)[:1]


def _held(project: int, annotator: int) -> Rows:
    shown = Card.objects.filter(key=OuterRef("card")).values("shown_version")
    places = Assignment.objects.filter(project=project, annotator=annotator).leased()
    return places.annotate(suggested_by=Subquery(shown)).values_list(
        "card",
        "is_ahead",
        "document__lane",
        "batch_id",
        "document__prediction__version_id",
        "suggested_by",
        "work_list_id",
    )


def _newest_batch(project: int, annotator: int) -> Rows:
    waiting = Assignment.objects.filter(batch=OuterRef("pk")).waiting().open_to(User(pk=annotator))
    newest = Batch.objects.filter(project=project).order_by("-pk")
    return newest.values_list("pk", Exists(waiting))[:1]


def _locked(project: int) -> Any:
    return Assignment.objects.filter(project=project).select_for_update(skip_locked=True, of=("self",))


def _locked_of_list(work_list: int) -> Any:
    rows = Assignment.objects.filter(work_list=work_list, work_list__isnull=False)
    return rows.select_for_update(skip_locked=True, of=("self",))


def _card(key: uuid.UUID, annotator: int, project: int) -> Rows:
    # The lock makes the second of two equal requests wait for the decision of the first.
    cards = Card.objects.select_for_update(of=("self",))
    given = cards.filter(key=key, annotator=annotator, document__project=project)
    return given.values_list("document_id", "shown_version_id", "shown")


def _standing(document: int, annotator: int, card: uuid.UUID) -> Rows:
    mine = Annotation.objects.filter(document=document, annotator=annotator)
    return mine.values_list("pk", Exists(Decision.objects.filter(card=card)))


FREE_OR_MINE = CompiledQuery(_free_or_mine, project=int, annotator=int, now=datetime)
NEXT_WAITING = CompiledQuery(_next_waiting, project=int, annotator=int)
HELD_AHEAD_BY_OTHERS = CompiledQuery(_held_ahead_by_others, project=int, annotator=int)
LISTED_FREE_OR_MINE = CompiledQuery(_listed_free_or_mine, work_list=int, annotator=int, now=datetime)
NEXT_LISTED = CompiledQuery(_next_listed, work_list=int, annotator=int)
LISTED_AHEAD_BY_OTHERS = CompiledQuery(_listed_ahead_by_others, work_list=int, annotator=int)
HELD = CompiledQuery(_held, project=int, annotator=int)
NEWEST_BATCH = CompiledQuery(_newest_batch, project=int, annotator=int)
CARD = CompiledQuery(_card, key=uuid.UUID, annotator=int, project=int)
STANDING = CompiledQuery(_standing, document=int, annotator=int, card=uuid.UUID)
