"""Inserts many rows by few statements, for files of 100,000 rows; `bulk_create` takes twice as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

MOST_ROWS = 500
# Values of these fields need no conversion for any database.
PLAIN = {"CharField", "TextField", "ForeignKey", "OneToOneField", "BooleanField", "IntegerField"}


def insert(
    model: type[Model], rows: Sequence[Sequence[Any]], columns: Sequence[str], shared: Mapping[str, Any]
) -> list[int]:
    """Insert rows with `columns` of their own and with `shared` values; return their keys in that order.

    Columns are attribute names, as `document_id`. What is left out gets the default of its field. Values
    that every row shares are converted once, and the statement is written once; that saves the time.
    """
    database = connections[router.db_for_write(model)]
    known = model._meta.local_concrete_fields
    own = [next(field for field in known if name in (field.name, field.attname)) for name in columns]
    rest = [field for field in known if field not in own and not field.primary_key]
    tail = [_ready(field, shared.get(field.attname, field.get_default()), database) for field in rest]
    needs_work = [field.get_internal_type() not in PLAIN for field in own]
    quote = database.ops.quote_name
    names = ", ".join(quote(str(field.column)) for field in [*own, *rest])
    marks = f"({', '.join(['%s'] * (len(own) + len(rest)))})"
    most = database.features.max_query_params
    size = max(1, min(MOST_ROWS, most // (len(own) + len(rest)))) if most else MOST_ROWS
    keys: list[int] = []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        cells: list[Any] = []
        for row in batch:
            cells += [
                _ready(field, value, database) if is_worked else value
                for field, value, is_worked in zip(own, row, needs_work, strict=True)
            ]
            cells += tail
        statement = (
            f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES {', '.join([marks] * len(batch))} "
            f"RETURNING {quote(str(model._meta.pk.column))}"
        )
        with database.cursor() as cursor:
            cursor.execute(statement, cells)
            # NB: SQLite and PostgreSQL return keys in the order of the rows; Django's inserts rely on it too.
            keys += [key for (key,) in cursor.fetchall()]
    return keys


def _ready(field: Field[Any, Any], value: Any, database: BaseDatabaseWrapper) -> Any:
    return field.get_db_prep_save(value, connection=database)
