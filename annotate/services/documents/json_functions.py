"""What is asked of JSON in a column, in the words of both databases."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import BooleanField, Func, IntegerField


class HasEntry(Func):
    """Whether a JSON object has a key, with one of the values if any are named.

    Keys may hold dots and quotes, which no path of SQLite takes.
    """

    output_field = BooleanField()

    def __init__(self, column: Any, key: str, values: tuple[Any, ...]) -> None:
        super().__init__(column)
        self.key, self.values = key, values

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column, params = compiler.compile(self.source_expressions[0])
        conditions, wanted = [], []
        for value in self.values:
            if value is None or isinstance(value, bool):
                conditions.append("entry.type = %s")
                wanted.append(json.dumps(value))
            elif isinstance(value, str):
                conditions.append("(entry.type = 'text' AND entry.value = %s)")
                wanted.append(value)
            else:
                conditions.append("(entry.type IN ('integer', 'real') AND entry.value = %s)")
                wanted.append(value)
        fits = f" AND ({' OR '.join(conditions)})" if conditions else ""
        # NB: to look for what is written takes a fraction of the time that it takes to read the JSON.
        written = self._written()
        looks_alike = " OR ".join([f"instr({column}, %s)"] * len(written))
        sql = f"EXISTS (SELECT 1 FROM json_each({column}) AS entry WHERE entry.key = %s{fits})"
        alike = [param for text in written for param in (*params, text)]
        return f"(({looks_alike}) AND {sql})", [*alike, *params, self.key, *wanted]

    def _written(self) -> list[str]:
        """Return texts of which one is in every JSON with the entry, as `json.dumps` writes it."""
        key = f"{json.dumps(self.key)}: "
        if not self.values or 0 in self.values:  # which may be -0.0 as well
            return [key]
        # Where a number is whole, 7 is how 7.0 begins.
        return [
            key + (str(int(value)) if isinstance(value, float) and value.is_integer() else json.dumps(value))
            for value in self.values
        ]

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column, params = compiler.compile(self.source_expressions[0])
        if not self.values:
            # NB: not = 'object', which PostgreSQL takes for rare: it would read all rows of a frequent key.
            sql = f"({column} ? %s AND jsonb_typeof({column}) NOT IN ('array', 'string'))"
            return sql, [*params, self.key, *params]
        fits = " OR ".join([f"{column} @> %s::jsonb"] * len(self.values))
        wanted = [[*params, json.dumps({self.key: value})] for value in self.values]
        return f"({fits})", [param for part in wanted for param in part]


class LabelCount(Func):
    """How many labels an `Answer` in a column has."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        answer, params = compiler.compile(self.source_expressions[0])
        return f"json_array_length({answer}, '$.labels')", [*params]

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        answer, params = compiler.compile(self.source_expressions[0])
        return f"jsonb_array_length({answer} -> 'labels')", [*params]


class HasLabel(Func):
    """Whether an `Answer` in a column has a label."""

    output_field = BooleanField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        (answer, of_answer), (label, of_label) = map(compiler.compile, self.source_expressions)
        sql = f"({label} IN (SELECT value FROM json_each({answer}, '$.labels')))"
        return sql, [*of_label, *of_answer]

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        (answer, of_answer), (label, of_label) = map(compiler.compile, self.source_expressions)
        return f"({answer} -> 'labels' @> to_jsonb({label}))", [*of_answer, *of_label]
