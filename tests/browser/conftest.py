"""A live server on a SQLite file and a real Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from annotate.models import User

# NB: playwright's synchronous interface runs an event loop in this thread; Django would refuse the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A test that swipes over the text shall not turn back to the page before, as this browser does.
    "--overscroll-history-navigation=0",
]
PATIENCE_MS = 30_000  # a loaded machine is slow, not broken
expect.set_options(timeout=PATIENCE_MS)
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    named = os.environ.get("CHROMIUM_PATH")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.fail("Chromium is missing; browser tests need it (on Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give SQLite a file: the live server is another thread, which cannot share a database in memory."""
    from django.conf import settings

    default: dict[str, Any] = settings.DATABASES["default"]
    if "sqlite3" in default["ENGINE"]:
        folder: Path = tmp_path_factory.mktemp("database")
        default.setdefault("TEST", {})["NAME"] = str(folder / "browser.sqlite3")


@pytest.fixture
def answered(transactional_db: None) -> Iterator[None]:
    """Let the site end what a closed page has asked it, before the rows of the test are deleted."""
    open_requests: list[None] = []

    def began(**_: Any) -> None:
        open_requests.append(None)

    def ended(**_: Any) -> None:
        open_requests.pop()

    request_started.connect(began)
    request_finished.connect(ended)
    yield
    until = time.monotonic() + PATIENCE_MS / 1000
    while open_requests and time.monotonic() < until:
        time.sleep(0.02)
    request_started.disconnect(began)
    request_finished.disconnect(ended)


@pytest.fixture
def context(browser: Browser, answered: None) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that fails its test when the browser reports an error or a breach of the policy."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if _is_breach(message) else None)
    yield page
    assert problems == []


def _is_breach(message: Any) -> bool:
    return "Content Security Policy" in message.text or "Content-Security-Policy" in message.text


@pytest.fixture
def open_as(context: BrowserContext, page: Page, live_server: Any) -> Callable[[User, str], Page]:
    """Open a path of the site as a user who is already logged in."""

    def open_as(user: User, path: str) -> Page:
        client = Client()
        client.force_login(user)
        cookie = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page.goto(f"{live_server.url}{path}")
        return page

    return open_as
