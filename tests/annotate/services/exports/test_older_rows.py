"""Rows that an earlier version let in are written all the same, and where they were mended can be seen."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.db import connection

from annotate.models import Document, Project
from annotate.models.documents import Lane
from annotate.services.exports import formats

pytestmark = pytest.mark.skipif(
    "connection.vendor == 'postgresql'", reason="PostgreSQL has never taken such a value."
)


@pytest.fixture
def older(project: Project) -> Project:
    """Make a project with documents past every check, as an earlier version stored them."""
    metas = [{"half \ud83d": "so \ud83e"}, {"n": 0.0}, {"plain": "x"}]
    Document.objects.bulk_create(
        Document(project=project, text=f"text {n}", sha256=str(n), lane=Lane.POOL, meta=meta)
        for n, meta in enumerate(metas)
    )
    with connection.cursor() as cursor:
        cursor.execute("""UPDATE annotate_document SET meta = '{"n": 1e999}' WHERE text = 'text 1'""")
        cursor.execute("""UPDATE annotate_document SET text = 'nul ' || char(0) WHERE text = 'text 2'""")
    return project


def test_jsonl_writes_half_a_character_as_its_code_and_an_infinite_number_as_null(older: Project) -> None:
    lines = b"".join(formats.stream(older, "jsonl", everything=True)).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["meta"] for row in rows] == [{"half \\ud83d": "so \\ud83e"}, {"n": None}, {"plain": "x"}]


def test_csv_has_every_row_as_well(older: Project) -> None:
    content = b"".join(formats.stream(older, "csv", everything=True)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert json.loads(rows[0]["meta"]) == {"half \\ud83d": "so \\ud83e"}
    assert json.loads(rows[1]["meta"]) == {"n": None}
    assert rows[2]["text"] == "nul \\u0000"
