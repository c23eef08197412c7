"""Every page fits a phone: nothing has to be scrolled sideways but what scrolls inside its own pane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotate.models import Project, User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OF_A_PROJECT = (
    "project", "label", "documents", "imports", "versions", "runs", "reportcard", "project-labels",
    "project-members", "project-settings", "my-work", "version-compare", "shares", "saved-labels", "drift",
)  # fmt: skip
OTHERS = ("projects", "project-create", "api-keys", "glossary")


@pytest.mark.parametrize("width", [320, 375])
def test_no_page_is_wider_than_a_phone(
    open_as: Callable[[User, str], Page], project: Project, lead: User, live_server: Any, width: int
) -> None:
    addresses = [reverse(name, args=[project.slug]) for name in OF_A_PROJECT] + [reverse(x) for x in OTHERS]
    page = open_as(lead, addresses[0])
    page.set_viewport_size({"width": width, "height": 700})
    wide = []
    for address in addresses:
        page.goto(live_server.url + address)
        if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(address)
    assert wide == []


def test_the_account_is_one_key_away_and_closed_until_then(
    open_as: Callable[[User, str], Page], project: Project, lead: User
) -> None:
    page = open_as(lead, reverse("project", args=[project.slug]))
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    page.get_by_label(f"Account of {lead.username}").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    expect(page.get_by_role("link", name="Glossary")).to_be_visible()
