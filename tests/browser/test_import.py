"""A lead's file on its way in, in a real browser: upload, columns, dry run, import, and what was broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from annotate import tasks
from annotate.models import Import, Project, User
from annotate.services.imports import upsert
from tests.browser.test_labeling import violations
from training import records

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# The quoted text starts on line 3 and ends on line 4, so the rows after it are named by later lines.
FILE = """Nr. (alt);Was gesagt wurde?;Farbe / colour;Stadt
7;the sky today;blue;Bonn
8;"a rose
on two lines";red;Kiel
9;;green;Ulm
10;some grass;mauve;Jena
11;a leaf;green;Trier;too much
12;<b>the sea</b>;blue;Köln
""".encode()
COLUMNS = ["Nr. (alt)", "Was gesagt wurde?", "Farbe / colour", "Stadt"]
PATIENCE = 120.0
Open = Callable[[User, str], Page]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What would wake a worker; the tests are the worker, so that they look at the page in between."""
    send = Mock()
    monkeypatch.setattr(tasks, "send", send)
    return send


@pytest.fixture(autouse=True)
def uploads(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def upload(page: Page, content: bytes = FILE, name: str = "würfe.csv") -> None:
    page.get_by_label("File").set_input_files({"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Upload and look at the columns").click()


def choose_columns(page: Page) -> None:
    page.get_by_label("Text", exact=True).select_option("Was gesagt wurde?")
    page.get_by_label("Id", exact=True).select_option("Nr. (alt)")
    page.get_by_label("Label", exact=True).select_option("Farbe / colour")
    expect(page.get_by_label("Stadt")).to_be_checked()  # as all that the names did not give away


def fact(page: Page, name: str) -> Locator:
    return page.locator("#progress dt", has_text=name).locator("+ dd")


def facts(page: Page, *names: str) -> list[int]:
    return [int(fact(page, name).inner_text()) for name in names]


def work(page: Page) -> None:
    """Do what waits for a worker, and wait for the page to see it by itself."""
    expect(page.locator("#progress")).to_have_attribute("data-state", "queued")
    tasks.work("import_file", Import.objects.latest("pk").pk)
    expect(page.locator("#progress")).to_have_attribute("data-state", "succeeded")


def stored(project: Project) -> dict[str, tuple[str, dict[str, Any], list[str]]]:
    return {
        document.external_id: (
            document.text,
            document.meta,
            [label.name for annotation in document.annotations.all() for label in annotation.labels.all()],
        )
        for document in project.documents.all()
    }


def test_a_file_with_odd_columns_is_looked_at_tried_and_imported(
    open_as: Open, project: Project, lead: User, sent: Mock
) -> None:
    page = open_as(lead, reverse("imports", args=[project.slug]))
    upload(page)
    assert page.locator("thead th").all_inner_texts()[1:] == COLUMNS
    expect(page.get_by_role("cell", name="<b>the sea</b>")).to_be_visible()
    choose_columns(page)
    page.get_by_role("button", name="Dry run").click()
    work(page)
    expect(page.get_by_text("Dry run: nothing is changed.")).to_be_visible()
    assert facts(page, "Rows read", "Would be added", "Broken") == [6, 4, 2]
    assert not project.documents.exists()
    page.get_by_role("button", name="Import it now").click()
    work(page)
    assert facts(page, "Rows read", "Added", "Unchanged", "Broken") == [6, 4, 0, 2]
    assert stored(project) == {
        "7": ("the sky today", {"Stadt": "Bonn"}, ["blue"]),
        "8": ("a rose\non two lines", {"Stadt": "Kiel"}, ["red"]),
        "10": ("some grass", {"Stadt": "Jena"}, []),
        "12": ("<b>the sea</b>", {"Stadt": "Köln"}, ["blue"]),
    }


def test_broken_rows_are_named_by_their_lines_and_the_same_file_doubles_nothing(
    open_as: Open, project: Project, lead: User, sent: Mock
) -> None:
    page = open_as(lead, reverse("imports", args=[project.slug]))
    for added, unchanged in ((4, 0), (0, 4)):
        page.goto(page.url.split("/imports/")[0] + "/imports/")
        upload(page)
        choose_columns(page)
        page.get_by_role("button", name="Import", exact=True).click()
        work(page)
        assert facts(page, "Added", "Updated", "Unchanged", "Broken") == [added, 0, unchanged, 2]
        missing, broken = page.locator("#progress table").all()
        assert missing.locator("tbody th").inner_text() == "mauve"
        expect(missing.get_by_label("What becomes of “mauve”")).to_have_value("create")
        problems = dict(row.inner_text().split("\t") for row in broken.locator("tbody tr").all())
        assert list(problems) == ["5", "7"]
        assert problems["5"] == "The text is empty."
        assert problems["7"] == "The row has 5 cells, but there are 4 columns."
    assert (project.documents.count(), project.annotations.count()) == (4, 3)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Let a worker store three rows and wait there until the event is set."""
    go_on, read = Event(), records.read

    def read_slowly(*args: Any, **kwargs: Any) -> Iterator[records.Row]:
        for count, row in enumerate(read(*args, **kwargs)):
            if count == 3:
                go_on.wait(PATIENCE)
            yield row

    monkeypatch.setattr(upsert, "CHUNK", 3)
    monkeypatch.setattr(records, "read", read_slowly)
    yield go_on
    go_on.set()


def work_elsewhere(import_id: int) -> None:
    try:
        tasks.work("import_file", import_id)
    finally:
        connection.close()


def test_the_page_follows_the_worker_through_the_file(
    open_as: Open, project: Project, lead: User, sent: Mock, interrupted: Event
) -> None:
    page = open_as(lead, reverse("imports", args=[project.slug]))
    upload(page, "\n".join(["text", *(f"text {n}" for n in range(5))]).encode())
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    with ThreadPoolExecutor(1) as worker:
        work = worker.submit(work_elsewhere, Import.objects.get().pk)
        try:
            expect(fact(page, "Rows read")).to_have_text("3")
            expect(page.get_by_role("progressbar", name="Read of the file")).to_be_visible()
            assert project.documents.count() == 3
        finally:
            interrupted.set()
        work.result(timeout=PATIENCE)
    expect(fact(page, "Rows read")).to_have_text("5")
    expect(page.locator("#progress")).to_have_attribute("data-state", "succeeded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_step_is_accessible_and_fits_a_phone(
    open_as: Open, project: Project, lead: User, sent: Mock, scheme: Any
) -> None:
    page = open_as(lead, reverse("imports", args=[project.slug]))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 375, "height": 800})
    upload(page)
    check(page)
    page.get_by_text("This looks wrong").click()
    check(page)
    choose_columns(page)
    with page.expect_navigation():
        page.get_by_role("button", name="Import", exact=True).click()
    check(page)
    work(page)
    check(page)
    page.goto(page.url.split("/imports/")[0] + "/imports/")
    check(page)


def check(page: Page) -> None:
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 375
