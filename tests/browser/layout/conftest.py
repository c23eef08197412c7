"""A phone: a small touch screen without a keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from annotate.models import User
from tests.browser.conftest import PATIENCE_MS

PHONE: ViewportSize = {"width": 375, "height": 667}
Open = Callable[[User, str], Page]


def until(page: Page, expression: str) -> None:
    """Wait until a script's expression holds. NB: the site's policy forbids `wait_for_function` its eval."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


@pytest.fixture
def touch(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def open_on_phone(touch: BrowserContext, open_as: Open, context: BrowserContext) -> Open:
    def open_on_phone(user: User, path: str) -> Page:
        address = open_as(user, "/glossary/").url.removesuffix("/glossary/")
        session = next(cookie for cookie in context.cookies() if cookie["name"] == "sessionid")
        touch.add_cookies([{"name": "sessionid", "value": session["value"], "url": address}])
        page = touch.new_page()
        page.goto(address + path)
        return page

    return open_on_phone
