from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotate.models import Project
from annotate.services.exports import contents, formats
from annotate.services.imports.upsert import IncomingDocument, store_rows
from training.types import Answer


@pytest.fixture
def filled(multi_project: Project) -> Project:
    rows = [
        IncomingDocument("=1+1", external_id="@x", answer=Answer(("red", "blue")), meta={"city": "Köln"}),
        IncomingDocument("two\nlines", answer=Answer()),
        IncomingDocument("nobody decided"),
    ]
    store_rows(project=multi_project, rows=rows)
    return multi_project


def test_jsonl_has_one_row_an_annotation_and_the_text_as_it_came(filled: Project) -> None:
    rows = [json.loads(line) for line in b"".join(formats.stream(filled, "jsonl")).splitlines()]
    assert [row["text"] for row in rows] == ["=1+1", "two\nlines"]
    assert rows[0]["labels"] == ["red", "blue"]
    assert rows[0]["meta"] == {"city": "Köln"}
    assert (rows[1]["labels"], rows[1]["outcome"], rows[1]["annotator"]) == ([], "answered", "import")


def test_csv_cells_that_a_spreadsheet_would_run_are_escaped(filled: Project) -> None:
    text = b"".join(formats.stream(filled, "csv")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert (rows[0]["text"], rows[0]["external_id"], rows[0]["labels"]) == ("'=1+1", "'@x", "red|blue")
    assert rows[1]["text"] == "two\nlines"


def test_everything_has_a_row_for_a_document_without_a_decision(filled: Project) -> None:
    rows = list(formats.rows(filled, everything=True))
    assert [row["text"] for row in rows][-1] == "nobody decided"
    assert "outcome" not in rows[-1]


def test_chunks_ask_the_same_few_questions_and_lose_no_row(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "CHUNK", 1)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(list(formats.rows(filled))) == 2
    assert len(queries) <= 1 + 3 * 3


def test_the_command_writes_a_file_and_a_file_comes_back_unchanged(filled: Project, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    call_command("export_annotations", filled.slug, out=out)
    store = io.StringIO()
    call_command("import_documents", filled.slug, str(out), label="labels", id="none", stdout=store)
    assert "0 added" in store.getvalue()


def test_a_reader_that_has_seen_enough_ends_the_export_quietly(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        call_command("export_annotations", filled.slug)


def test_the_command_names_a_project_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="no project called 'nowhere'"):
        call_command("export_annotations", "nowhere")
