"""The export page in a real browser: choose, see the first rows, take the file, have one written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from playwright.sync_api import Page, expect

from annotate import tasks
from annotate.models import Annotation, Document, Export, Project, User
from annotate.services.exports import job
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT, settings.TEMPORARY_ROOT = tmp_path / "uploads", tmp_path / "tmp"
    monkeypatch.setattr(tasks, "send", Mock())


@pytest.fixture
def filled(project: Project, annotator: User, add_documents: Callable[..., list[Document]]) -> Project:
    add_documents(project, "a leaf <b>", "the sky", "=1+1")
    rose = add_documents(project, "a rose " * 60, lane="holdout")[0]
    made = Annotation.objects.create(project=project, document=rose, annotator=annotator, outcome="answered")
    made.labels.add(project.labels.get(name="red"))
    return project


@pytest.mark.parametrize("width", [1280, 375])
def test_a_lead_exports_what_a_filter_finds(
    filled: Project, lead: User, open_as: Open, width: int, tmp_path: Path
) -> None:
    page = open_as(lead, "/projects/colours/documents/?lane=holdout")
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("link", name="Export these").click()
    expect(page.locator(".export-filters")).to_contain_text("Holdout")
    page.get_by_label("Document, with the answer").check()
    page.get_by_role("button", name="Show the first rows").click()
    expect(page.locator(".hits")).to_have_text("It holds 1 document.")
    shown = page.locator(".export-preview").inner_text()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download as JSONL").click()
    content = Path(taken.value.path()).read_text(encoding="utf-8")
    assert content == f"{shown.rstrip()}\n"
    row = json.loads(content)
    assert (row["labels"], row["is_gold"], row["answers"]) == (["red"], False, 1)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_file_that_a_worker_writes_appears_on_the_page(filled: Project, lead: User, open_as: Open) -> None:
    page = open_as(lead, "/projects/colours/export/")
    page.get_by_label("Format").select_option("Parquet")
    page.get_by_label("Also documents without an answer").check()
    page.get_by_role("button", name="Show the first rows").click()
    page.get_by_role("button", name="Have it written as Parquet in the background").click()
    expect(page.locator("table")).to_contain_text("Waiting for a worker")
    job.run(Export.objects.get().pk)
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("table")).to_contain_text("Done")
    with page.expect_download() as taken:
        page.locator("table").get_by_role("link", name="Parquet").click()
    assert Path(taken.value.path()).read_bytes().startswith(b"PAR1")
    assert violations(page) == []
