"""A project from its file, in a real browser: upload, look, go, choose labels, undo an import."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate import tasks
from annotate.models import Import, Project, User
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FILE = "review;sentiment;city\n" + "".join(
    f"review {chr(97 + n % 26) * (1 + n // 26)};{('good', 'bad')[n % 2]};Bonn\n" for n in range(40)
)
MORE = "review,sentiment\nanother one,Good\nthe last one,mixed\n"


@pytest.fixture(autouse=True)
def _site(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(tasks, "send", Mock())


def check(page: Page, name: str) -> None:
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def work(page: Page) -> None:
    expect(page.locator("#progress")).to_have_attribute("data-state", "queued")
    tasks.work("import_file", Import.objects.latest("pk").pk)
    expect(page.locator("#progress")).to_have_attribute("data-state", "succeeded")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (375, "dark")])
def test_a_project_from_its_file_to_the_first_card_and_an_import_undone(
    open_as: Callable[[User, str], Page], stranger: User, width: int, scheme: Any
) -> None:
    page = open_as(stranger, reverse("project-create"))
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    check(page, f"new-{width}")
    content = {"name": "my reviews.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    page.get_by_label("File").set_input_files(content)  # type: ignore[arg-type]
    page.get_by_role("button", name="Upload and look at it").click()
    expect(page.get_by_text("The file has 40 rows.")).to_be_visible()
    expect(page.get_by_role("row", name="good 20")).to_be_visible()
    expect(page.get_by_label("Column of the texts")).to_have_value("review")
    check(page, f"begin-{width}")
    page.get_by_label("Name of the project").fill("Reviews")
    page.get_by_role("button", name="Count again").click()
    expect(page.get_by_label("Name of the project")).to_have_value("Reviews")
    page.get_by_role("button", name="Make the project").click()
    work(page)
    check(page, f"done-{width}")
    project = Project.objects.get()
    assert (project.name, project.documents.count(), project.annotations.count()) == ("Reviews", 40, 40)
    page.goto(page.url.split("/imports/")[0] + "/imports/")
    page.get_by_label("File").set_input_files(
        {"name": "more.csv", "mimeType": "text/csv", "buffer": MORE.encode()}
    )
    page.get_by_role("button", name="Upload and look at the columns").click()
    page.get_by_role("button", name="Import", exact=True).click()
    work(page)
    good = project.labels.get(name="good")
    expect(page.get_by_label("What becomes of “Good”")).to_have_value(str(good.pk))
    check(page, f"labels-{width}")
    page.get_by_label("What becomes of “mixed”").select_option("Leave these texts without a label")
    page.get_by_role("button", name="Import the file again so").click()
    work(page)
    assert project.annotations.count() == 41
    with page.expect_navigation():
        page.get_by_role("link", name="Take it back").click()
    check(page, f"undo-{width}")
    page.get_by_role("button", name="Undo the import").click()
    work(page)
    expect(page.get_by_text("This import is undone")).to_be_visible()
    check(page, f"undone-{width}")
    assert (project.documents.count(), project.annotations.count()) == (40, 40)
