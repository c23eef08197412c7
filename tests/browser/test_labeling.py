from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Annotation, Decision, Document, Project, User
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXTS = [f"text number {n}" for n in range(1, 31)]
READY = "#card[data-ready]"
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


def wait_for_next(page: Page, card: str) -> str:
    page.wait_for_selector(f'{READY}:not([data-card="{card}"])')
    return card_of(page)


def card_of(page: Page) -> str:
    return page.wait_for_selector(READY).get_attribute("data-card") or ""


def press(page: Page, key: str) -> str:
    card = card_of(page)
    page.keyboard.press(key)
    return wait_for_next(page, card)


def answers(project: Project) -> dict[str, list[str]]:
    kept = Annotation.objects.filter(project=project).order_by("pk")
    return {a.document.text: sorted(label.name for label in a.labels.all()) for a in kept}


def test_a_person_logs_in_and_reaches_the_labelling_page(
    page: Page, live_server: Any, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, "the sky")
    page.goto(f"{live_server.url}/projects/{project.slug}/label/")
    page.get_by_label("Username").fill(annotator.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#document-text")).to_have_text("the sky")


def test_twenty_documents_are_labelled_by_keyboard_alone(
    open_as: Open, project: Project, annotator: User, add_documents: AddDocuments
) -> None:
    add_documents(project, *TEXTS[:20])
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    wanted = {}
    for n in range(20):
        key = str(n % 3 + 1)
        wanted[page.locator("#document-text").inner_text()] = [("red", "green", "blue")[n % 3]]
        card = card_of(page)
        page.keyboard.press(key)
        if n < 19:
            wait_for_next(page, card)
    expect(page.locator("#card[data-empty]")).to_be_visible()
    assert len(wanted) == 20
    assert answers(project) == wanted
    assert Decision.objects.count() == 20
