"""Labels under headings: what stands where, what a screen reader hears, and what the finder makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Label, Project, User
from tests.browser.test_labeling import TEXTS, card_of, violations

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]
NAMES = [
    *(f"billing/{word}" for word in ("refund", "invoice", "card", "tax", "late")),
    *(f"account/{word}" for word in ("login", "close", "email", "name", "refund")),
    "spam",
]
HEADINGS = ["billing", "account", "Other labels"]


@pytest.fixture
def project(make_project: Callable[..., Project], add_documents: Callable[..., list[Document]]) -> Project:
    project = make_project(labels=())
    for position, name in enumerate(NAMES):
        Label.objects.create(project=project, name=name, position=position)
    add_documents(project, *TEXTS[:3])
    return project


def test_labels_stand_under_headings_until_one_is_looked_for(
    open_as: Open, project: Project, annotator: User
) -> None:
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator(".label-group")).to_have_text(HEADINGS)
    button = page.locator("#labels").get_by_role("button", name=re.compile(r"^billing\W+refund$"))
    expect(button).to_be_visible()
    assert button.locator(".choice-prefix").evaluate("element => element.offsetWidth") <= 1
    assert violations(page) == []
    page.keyboard.press("/")
    page.keyboard.type("refund")
    expect(page.locator(".label-group")).to_have_count(0)
    expect(page.locator(".choice:visible .choice-name")).to_have_text(["billing/refund", "account/refund"])
    assert button.locator(".choice-prefix").evaluate("element => element.offsetWidth") > 20
    page.locator("#label-search").fill("")
    expect(page.locator(".label-group")).to_have_text(HEADINGS)
    assert page.locator(".choice .choice-name").all_text_contents() == NAMES


def test_a_project_may_want_no_headings(open_as: Open, project: Project, annotator: User) -> None:
    Project.objects.filter(pk=project.pk).update(group_labels=False)
    page = open_as(annotator, f"/projects/{project.slug}/label/")
    card_of(page)
    expect(page.locator(".choice:visible")).to_have_count(len(NAMES))
    expect(page.locator(".label-group")).to_have_count(0)
