from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from annotate.models import Document, Project
from annotate.services.imports import bulk_insert
from annotate.services.imports.bulk_insert import insert

COLUMNS = ["external_id", "text", "sha256", "split_key", "meta", "lane", "half"]


def _rows(count: int) -> list[tuple[object, ...]]:
    return [
        (None, f"text {n} 100%s", f"{n:064}", "k", {"n": [n, None, "é"]}, "pool", "") for n in range(count)
    ]


def _insert(project: Project, count: int) -> list[int]:
    shared = {"project_id": project.pk, "created_at": timezone.now()}
    return insert(Document, _rows(count), COLUMNS, shared)


def test_keys_come_in_the_order_of_the_rows_over_several_statements(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_insert, "MOST_ROWS", 3)
    keys = _insert(project, 8)
    stored = Document.objects.in_bulk(keys)
    assert [stored[key].text for key in keys] == [f"text {n} 100%s" for n in range(8)]


def test_a_row_reads_like_one_that_django_saved(project: Project) -> None:
    (key,) = _insert(project, 1)
    mine = Document.objects.get(pk=key)
    values = dict(zip(COLUMNS, _rows(1)[0], strict=True))
    theirs = Document.objects.create(project=project, **{**values, "sha256": "f" * 64})
    theirs.refresh_from_db()
    assert all(getattr(mine, name) == getattr(theirs, name) for name in COLUMNS if name != "sha256")
    assert abs(theirs.created_at - mine.created_at).total_seconds() < 60


def test_the_database_still_refuses_what_is_there_already(project: Project) -> None:
    _insert(project, 1)
    with pytest.raises(IntegrityError), transaction.atomic():
        _insert(project, 1)


def test_without_rows_nothing_is_inserted(project: Project) -> None:
    assert insert(Document, [], COLUMNS, {"project_id": project.pk}) == []
