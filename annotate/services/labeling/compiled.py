"""Queries that are written once and run many times.

Writing SQL costs Django ten times what SQLite needs to run it. Where every decision waits for the query, and
for the transaction it is in, the SQL is kept and only its parameters change.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.sql.compiler import SQLCompiler

Row = tuple[Any, ...]
# Values that no real parameter has: where they end up in the SQL, the parameters of a call go.
_STAND_INS: dict[type, Callable[[int], Any]] = {
    int: lambda n: -7_000_000_000_000_000_000 - n,
    uuid.UUID: lambda n: uuid.UUID(int=(0xF00D << 112) + n),
    datetime: lambda n: datetime(1, 1, 1, 0, 0, n, tzinfo=UTC),
}


class CompiledQuery:
    """The rows of `build(**parameters)`, a `values_list`; `types` are those of its parameters by name.

    The query's shape must not depend on the parameters: None, say, would make another SQL.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Row]], **types: type) -> None:
        self.build = build
        self._stand_ins = {name: _STAND_INS[kind](n) for n, (name, kind) in enumerate(types.items())}
        self._known: dict[str, tuple[SQLCompiler, str, list[Any]]] = {}

    def rows(self, **parameters: Any) -> list[Row]:
        compiler, sql, places = self._compiled()
        values = [_sent(parameters[x.name]) if isinstance(x, _Place) else x for x in places]
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            return [tuple(row) for row in compiler.results_iter([cursor.fetchall()])]

    def first(self, **parameters: Any) -> Row | None:
        return next(iter(self.rows(**parameters)), None)

    def _compiled(self) -> tuple[SQLCompiler, str, list[Any]]:
        if connection.vendor not in self._known:
            compiler = self.build(**self._stand_ins).query.get_compiler(connection=connection)
            sql, params = compiler.as_sql()
            names = {_sent(value): name for name, value in self._stand_ins.items()}
            places = [_Place(names[value]) if value in names else value for value in params]
            self._known[connection.vendor] = compiler, sql, places
        return self._known[connection.vendor]


class _Place:
    def __init__(self, name: str) -> None:
        self.name = name


def _sent(value: Any) -> Any:
    """Return a value as the database gets it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, uuid.UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    return value
