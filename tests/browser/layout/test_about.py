"""What a label means is told beside it, by pointer and by focus, and the guidelines follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Label, Project, User
from tests.browser.test_labeling import card_of, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
AddDocuments = Callable[..., list[Document]]


@pytest.fixture
def described(project: Project, add_documents: AddDocuments) -> Project:
    Project.objects.update(guidelines="Read all of it.\n" * 60)
    for label in project.labels.all():
        Label.objects.filter(pk=label.pk).update(description=f"Like a {label.name} thing. " * 20)
    add_documents(project, "one", "two")
    return project


def test_a_description_shows_while_the_pointer_or_the_focus_is_on_its_label(
    open_as: Open, described: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{described.slug}/label/")
    card_of(page)
    about, green = page.locator("#about"), page.get_by_role("button", name="green")
    place = green.bounding_box()
    green.hover()
    expect(about).to_contain_text("green Like a green thing.")
    assert green.bounding_box() == place
    about.hover()  # it can be reached by the pointer, and stays
    expect(about).to_contain_text("Like a green thing.")
    page.get_by_role("button", name="blue").focus()
    expect(about).to_contain_text("blue Like a blue thing.")
    expect(page.get_by_role("button", name="blue")).to_have_accessible_description(
        ("Like a blue thing. " * 20).strip()
    )
    assert violations(page) == []


def test_the_guidelines_open_at_the_label_in_question(
    open_as: Open, described: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{described.slug}/label/")
    card_of(page)
    page.get_by_role("button", name="blue").focus()
    page.keyboard.press("g")
    entry = page.locator("#guidelines .entry", has_text="Like a blue thing.")
    expect(entry).to_be_in_viewport()
    expect(entry).to_have_attribute("data-current", "")
    page.get_by_role("button", name="red").hover()
    expect(page.locator("#guidelines [data-current]")).to_contain_text("Like a red thing.")
    expect(page.locator("#guidelines [data-current]")).to_be_in_viewport()
    assert violations(page) == []
