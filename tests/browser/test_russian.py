"""The site in Russian, whose words are longer: nothing is cut off or pushed aside, and the keys stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGES = (
    "project", "label", "documents", "imports", "versions", "runs", "reportcard", "project-labels",
    "project-members", "project-settings", "export-page", "my-work",
)  # fmt: skip
OTHERS = ("projects", "project-create", "account", "api-keys", "glossary")


@pytest.fixture
def reader(lead: User) -> User:
    lead.language = "ru"
    lead.save()
    return lead


@pytest.mark.parametrize("width", [375, 1280])
def test_no_page_is_wider_than_its_screen(
    open_as: Callable[[User, str], Page], project: Project, reader: User, live_server: Any, width: int
) -> None:
    addresses = [reverse(name, args=[project.slug]) for name in PAGES] + [reverse(name) for name in OTHERS]
    page = open_as(reader, addresses[0])
    page.set_viewport_size({"width": width, "height": 800})
    wide = []
    for address in addresses:
        page.goto(live_server.url + address)
        assert page.locator("html").get_attribute("lang") == "ru"
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(address)
    assert wide == []


def test_a_text_is_labelled_by_keys(
    open_as: Callable[[User, str], Page],
    project: Project,
    reader: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, "первый текст", "второй текст")
    page = open_as(reader, reverse("label", args=[project.slug]))
    expect(page.get_by_role("button", name="Пропустить")).to_be_visible()
    page.wait_for_selector("#card[data-ready]")
    page.keyboard.press("1")
    page.keyboard.press("?")
    expect(page.get_by_role("heading", name="Клавиши")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Клавиши")).to_be_hidden()
    page.wait_for_selector("#card[data-ready]")
    page.keyboard.press("2")
    expect(page.locator("#empty-reason")).to_contain_text("По каждому документу есть решения.")
    assert sorted(project.annotations.values_list("labels__name", flat=True)) == ["green", "red"]


def test_a_person_chooses_the_language_on_the_account_page(
    open_as: Callable[[User, str], Page], project: Project, lead: User
) -> None:
    page = open_as(lead, reverse("account"))
    page.get_by_label("Language").select_option(label="Русский")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Ваша учётная запись сохранена.")).to_be_visible()
    expect(page.get_by_role("heading", name="Учётная запись")).to_be_visible()
