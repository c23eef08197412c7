"""The page where people change their password, in both themes, and cookies with the prefix of HTTPS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import Document, Project, User
from tests.browser.test_labeling import answers, card_of, press, violations
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[[User, str], Page]


def fill(page: Page, old: str, new: str, again: str) -> None:
    page.get_by_label("Old password").fill(old)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_label("New password confirmation").fill(again)
    page.get_by_role("button", name="Change password").click()


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_errors_can_be_read_in_both_themes_on_both_widths(
    theme: Any, width: int, open_as: Open, annotator: User, page: Page
) -> None:
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 800})
    open_as(annotator, "/account/password/")
    assert violations(page) == []
    fill(page, "wrong", "short", "short")
    expect(page.get_by_role("alert").get_by_text("Your old password was entered incorrectly")).to_be_visible()
    expect(page.get_by_text("at least 10 characters").last).to_be_visible()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_person_changes_the_password_and_goes_on_working(open_as: Open, annotator: User) -> None:
    page = open_as(annotator, "/projects/")
    page.get_by_label("Account of anton").click()
    page.get_by_role("link", name="Password").click()
    fill(page, PASSWORD, "a sentence nobody guesses", "a sentence nobody guesses")
    expect(page.get_by_text("Your password is changed")).to_be_visible()
    page.goto(page.url.replace("/account/password/", "/projects/"))
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_shut_door_says_so(
    theme: Any, page: Page, live_server: Any, annotator: User, settings: Any
) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    page.emulate_media(color_scheme=theme)
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("Username").fill(annotator.username)
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_text("not even the right one")).to_be_visible()
    assert violations(page) == []


def test_decisions_are_sent_with_the_cookies_of_https(
    page: Page,
    live_server: Any,
    project: Project,
    annotator: User,
    add_documents: Callable[..., list[Document]],
    settings: Any,
) -> None:
    """NB: a browser takes secure cookies from localhost without HTTPS."""
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    add_documents(project, "the sky", "the sea")
    # A token that was left from the time before HTTPS must not be sent.
    page.context.add_cookies([{"name": "csrftoken", "value": "x" * 32, "url": live_server.url}])
    page.goto(f"{live_server.url}/projects/{project.slug}/label/")
    page.get_by_label("Username").fill(annotator.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    card_of(page)
    text = page.locator("#document-text").inner_text()
    assert "__Host-csrftoken=" in page.evaluate("document.cookie")
    press(page, "1")
    assert answers(project) == {text: ["red"]}
