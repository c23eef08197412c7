"""Many new rows in few statements, for files of a hundred thousand; `bulk_create` takes twice as long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

MOST_ROWS = 500


def insert(
    model: type[Model], rows: Sequence[Sequence[Any]], columns: Sequence[str], shared: Mapping[str, Any]
) -> list[int]:
    """Insert rows with `columns` of their own and with `shared` values; return their keys in that order.

    Columns are attribute names, as `document_id`. What is left out gets the default of its field. Values
    that every row shares are made ready once, and so is the statement: that is where the time is won.
    """
    database = connections[router.db_for_write(model)]
    fields = [_field(model, name) for name in columns]
    rest = [field for field in model._meta.local_concrete_fields if field not in fields]
    rest = [field for field in rest if not field.primary_key]
    tail = [_ready(field, _value(field, shared), database) for field in rest]
    ready = [None if field.get_internal_type() in PLAIN else field for field in fields]
    keys: list[int] = []
    for batch in _batches(rows, _batch_size(database, len(fields) + len(tail))):
        cells = (_cells(row, ready, database) + tail for row in batch)
        keys += _execute(database, model, [*fields, *rest], list(chain.from_iterable(cells)), len(batch))
    return keys


# Values of these go to any database as they are.
PLAIN = {"CharField", "TextField", "ForeignKey", "BooleanField", "IntegerField"}


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    return next(field for field in model._meta.local_concrete_fields if name in (field.name, field.attname))


def _value(field: Field[Any, Any], shared: Mapping[str, Any]) -> Any:
    if field.attname in shared:
        return shared[field.attname]
    return field.get_default()


def _ready(field: Field[Any, Any], value: Any, database: BaseDatabaseWrapper) -> Any:
    return field.get_db_prep_save(value, connection=database)


def _cells(
    row: Sequence[Any], fields: Sequence[Field[Any, Any] | None], database: BaseDatabaseWrapper
) -> list[Any]:
    return [
        value if field is None else _ready(field, value, database)
        for field, value in zip(fields, row, strict=True)
    ]


def _batches(rows: Sequence[Sequence[Any]], size: int) -> Iterator[Sequence[Sequence[Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _batch_size(database: BaseDatabaseWrapper, width: int) -> int:
    most = database.features.max_query_params
    return max(1, min(MOST_ROWS, most // width)) if most else MOST_ROWS


def _execute(
    database: BaseDatabaseWrapper,
    model: type[Model],
    fields: Sequence[Field[Any, Any]],
    cells: Sequence[Any],
    rows: int,
) -> list[int]:
    """NB: SQLite and PostgreSQL return keys in the order of the rows; Django's own inserts rely on it."""
    quote = database.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in fields)
    marks = f"({', '.join(['%s'] * len(fields))})"
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {', '.join([marks] * rows)}"
    with database.cursor() as cursor:
        cursor.execute(f"{statement} RETURNING {quote(str(model._meta.pk.column))}", cells)
        return [key for (key,) in cursor.fetchall()]
