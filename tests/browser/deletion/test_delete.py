"""A lead deletes: each page says what goes, and asks first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, Removal, User
from tests.browser.test_labeling import violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_lead_deletes_a_project_by_typing_its_name(
    open_as: Callable[[User, str], Page],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    add_documents(project, "one", "two")
    page = open_as(lead, reverse("project-settings", args=[project.slug]))
    with page.expect_navigation():
        page.get_by_role("link", name="Delete this project").click()
    assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    name = page.get_by_label("Type the project's name")
    name.fill("Colour")
    name.press("Enter")
    expect(page.get_by_text("That is not its name").first).to_be_visible()
    expect(name).to_have_value("Colour")
    name.fill("Colours")
    page.get_by_role("button", name="Delete the project").click()
    expect(page.get_by_text("The project “Colours” is deleted.")).to_be_visible()
    assert Removal.objects.count() == 1
    assert not Project.objects.of(lead).exists()


def test_a_lead_deletes_a_document_from_its_page(
    open_as: Callable[[User, str], Page],
    lead: User,
    project: Project,
    add_documents: Callable[..., list[Document]],
) -> None:
    (first, _second) = add_documents(project, "the first text", "the second text")
    page = open_as(lead, reverse("documents", args=[project.slug]))
    page.get_by_role("link", name=f"Document {first.pk}:").click()
    with page.expect_navigation():
        page.get_by_role("link", name="Delete", exact=True).click()
    assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.get_by_role("button", name="Delete the document").click()
    expect(page.get_by_text(f"Document {first.pk} is deleted.")).to_be_visible()
    expect(page.get_by_text("the second text")).to_be_visible()
    expect(page.get_by_text("the first text")).to_have_count(0)
