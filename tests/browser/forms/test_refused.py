"""A form that is refused or came too late, as somebody meets it who uses the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Project, User
from tests.browser.test_labeling import violations
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]


def fill(page: Page, slug: str) -> None:
    page.get_by_label("Name", exact=True).fill("Bank cards")
    page.get_by_label("Short name").fill(slug)
    page.get_by_label("Labels", exact=True).fill("card\nloan")


def test_the_summary_has_the_focus_and_leads_to_the_field(
    open_as: Open, lead: User, project: Project
) -> None:
    page = open_as(lead, "/projects/new/")
    fill(page, project.slug)
    page.get_by_role("button", name="Create project").click()
    summary = page.locator(".error-summary")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("Another project has this short name")
    assert violations(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Short name")).to_be_focused()
    expect(page.get_by_label("Labels", exact=True)).to_have_value("card\nloan")


def test_what_was_typed_survives_a_logout_elsewhere(open_as: Open, lead: User) -> None:
    page = open_as(lead, "/projects/new/")
    fill(page, "bank")
    sessions = [cookie for cookie in page.context.cookies() if "sessionid" in str(cookie.get("name"))]
    page.context.clear_cookies(name=sessions[0].get("name"))
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_text("You are logged out")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Username").fill(lead.get_username())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_text("Bank cards")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("Bank cards").first).to_be_visible()
    assert Project.objects.get().slug == "bank"


def test_what_was_typed_survives_a_login_in_another_tab(open_as: Open, lead: User) -> None:
    page = open_as(lead, "/projects/new/")
    fill(page, "bank")
    page.locator("input[name=csrfmiddlewaretoken]").evaluate_all(
        "all => all.forEach((one) => one.value = 'x'.repeat(64))"
    )
    page.get_by_role("button", name="Create project").click()
    expect(page.get_by_role("heading", name="Your form was not taken yet")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("heading", name="Your form was not taken yet")).not_to_be_visible()
    assert Project.objects.get().slug == "bank"
