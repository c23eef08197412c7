"""The page of API keys, from the login form to a key that is shown once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotate.models import ApiKey, User
from annotate.services.people import api_keys
from tests.browser.test_labeling import violations
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def make(page: Page, name: str) -> str:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Ask the published model").check()
    page.get_by_role("button", name="Make key").click()
    return page.get_by_role("status").locator("code").inner_text()


def test_a_person_logs_in_and_makes_a_key_that_a_reload_neither_repeats_nor_shows(
    page: Page, live_server: Any, annotator: User
) -> None:
    page.goto(f"{live_server.url}/login/")
    page.get_by_label("Username").fill(annotator.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Account of").click()
    page.get_by_role("link", name="API keys").click()
    secret = make(page, "robot")
    key = api_keys.find(secret)
    assert key is not None
    assert (key.user, key.scopes) == (annotator, ["predict"])
    assert violations(page) == []
    page.reload()
    expect(page.get_by_role("row", name="robot")).to_be_visible()
    assert secret not in page.content()
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_fits_a_phone(
    scheme: Any, open_as: Callable[[User, str], Page], annotator: User
) -> None:
    page = open_as(annotator, "/account/keys/")
    page.emulate_media(color_scheme=scheme)
    make(page, "a robot with a rather long name")
    page.set_viewport_size({"width": 375, "height": 800})
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
