"""Inserts many rows by few statements, for files of 100,000 rows; `bulk_create` takes twice as long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    statement = Statement(
        model=model,
        own=own,
        rest=rest,
        tail=[_ready(field, shared.get(field.attname, field.get_default()), database) for field in rest],
        database=database,
    )
    needs_work = [field.get_internal_type() not in PLAIN for field in own]
    most = database.features.max_query_params
    size = max(1, min(MOST_ROWS, most // (len(own) + len(rest)))) if most else MOST_ROWS
    keys: list[int] = []
    for start in range(0, len(rows), size):
        batch = [
            [
                _ready(field, value, database) if is_worked else value
                for field, value, is_worked in zip(own, row, needs_work, strict=True)
            ]
            for row in rows[start : start + size]
        ]
        with database.cursor() as cursor:
            cursor.execute(*statement.of(batch))
            # NB: SQLite and PostgreSQL return keys in the order of the rows; Django's inserts rely on it too.
            keys += [key for (key,) in cursor.fetchall()]
    return keys


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement that inserts rows: cells of the fields `own` for each, and of `rest` the one `tail`."""

    model: type[Model]
    own: Sequence[Field[Any, Any]]
    rest: Sequence[Field[Any, Any]]
    tail: Sequence[Any]
    database: BaseDatabaseWrapper

    def of(self, batch: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Return the statement for some rows of cells, and its parameters."""
        quote = self.database.ops.quote_name
        names = ", ".join(quote(str(field.column)) for field in [*self.own, *self.rest])
        write = self._arrays if self.database.vendor == "postgresql" else self._values
        source, params = write(batch)
        return (
            f"INSERT INTO {quote(self.model._meta.db_table)} ({names}) {source} "
            f"RETURNING {quote(str(self.model._meta.pk.column))}"
        ), params

    def _values(self, batch: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Write one parameter for each cell."""
        marks = f"({', '.join(['%s'] * (len(self.own) + len(self.rest)))})"
        cells = [cell for row in batch for cell in (*row, *self.tail)]
        return f"VALUES {', '.join([marks] * len(batch))}", cells

    def _arrays(self, batch: Sequence[Sequence[Any]]) -> tuple[str, list[Any]]:
        """Write one parameter for each column: PostgreSQL's driver is slow to read thousands of them."""
        columns = [f"c{number}" for number in range(len(self.own))]
        shared = [f"%s::{self._type(field)}" for field in self.rest]
        arrays = ", ".join(f"%s::{self._type(field)}[]" for field in self.own)
        source = (
            f"SELECT {', '.join([*columns, *shared])} "
            f"FROM unnest({arrays}) WITH ORDINALITY AS row({', '.join(columns)}, place) ORDER BY place"
        )
        return source, [*self.tail, *map(list, zip(*batch, strict=True))]

    def _type(self, field: Field[Any, Any]) -> str:
        """Return the type of a column; of texts without their length, which a cast would cut them at."""
        name = str(field.db_type(self.database))
        return "text" if name.startswith("varchar") else name


def _ready(field: Field[Any, Any], value: Any, database: BaseDatabaseWrapper) -> Any:
    return field.get_db_prep_save(value, connection=database)
