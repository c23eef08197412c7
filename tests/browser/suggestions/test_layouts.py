"""A key counts by its place where the layout has no Latin letters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User
from tests.annotate.views.test_labeling import suggest
from tests.browser.test_labeling import card_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PRESSED = """([key, code, shiftKey]) => document.querySelector("#document-text").dispatchEvent(
  new KeyboardEvent("keydown", { key, code, shiftKey, bubbles: true, cancelable: true }))"""


@pytest.mark.parametrize(
    ("key", "code", "shift", "opened"),
    [
        ("/", "Slash", False, "#label-search:focus"),
        (".", "Slash", False, "#label-search:focus"),  # Russian
        (",", "Slash", True, "#keys[open]"),
        ("?", "Digit7", True, "#keys[open]"),
        ("п", "KeyG", False, "#guidelines:not([hidden])"),
        ("/", "KeyQ", False, "#label-search:focus"),  # Hebrew
        ("!", "Slash", False, "#label-search:focus"),  # French
    ],
)
def test_marks_are_found_by_their_place(
    open_as: Callable[[User, str], Page],
    make_project: Callable[..., Project],
    annotator: User,
    add_documents: Callable[..., list[Document]],
    key: str,
    code: str,
    shift: bool,
    opened: str,
) -> None:
    project = make_project(labels=[f"label {n}" for n in range(12)])
    add_documents(project, "one")
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    page.evaluate(PRESSED, [key, code, shift])
    expect(page.locator(opened)).to_have_count(1)


def test_a_full_stop_takes_a_suggestion_over_on_a_russian_layout_as_well(
    open_as: Callable[[User, str], Page],
    multi_project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    (document,) = add_documents(multi_project, "one")
    suggest(multi_project, document, ("blue", 0.9))
    page = open_as(annotator, f"/projects/{multi_project.slug}/label/")
    card_of(page)
    page.keyboard.press("3")
    page.keyboard.press("3")
    expect(page.locator("#chosen")).to_have_text("Nothing is chosen yet")
    page.evaluate(PRESSED, ["ю", "Period", False])
    expect(page.locator("#chosen")).to_have_text("blue")
