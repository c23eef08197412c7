"""The second step of a login in a browser: an app by its picture, and passkeys of a virtual authenticator."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pyotp
import pytest
from playwright.sync_api import Page, expect

from annotate.models import AuthenticatorApp, Passkey, User
from annotate.services import sealing
from annotate.services.logins import second_factors
from tests.browser.people.test_people import fits
from tests.browser.test_labeling import violations
from tests.conftest import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
OpenAs = Callable[[User, str], Page]


@pytest.fixture
def device(page: Page) -> Iterator[Any]:
    """A phone that keeps passkeys and always finds that it is in its owner's hand."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield session
    session.detach()


def leave(page: Page) -> None:
    page.locator("summary[aria-label^='Account of']").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def enter(page: Page, user: User) -> None:
    page.get_by_label("Username").fill(user.get_username())
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in", exact=True).click()


def look_at(page: Page) -> None:
    """See that a page is for everybody: read aloud, in the dark, and on a phone."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert violations(page) == []
    page.set_viewport_size({"width": 375, "height": 800})
    assert fits(page)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_an_app_is_set_up_by_its_picture_and_asked_for_at_the_next_login(open_as: OpenAs, lead: User) -> None:
    page = open_as(lead, "/account/second-factor/")
    look_at(page)
    page.get_by_role("link", name="Set up an app").click()
    picture = page.get_by_role("img", name="A code for the camera")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth > 100)")
    look_at(page)
    app = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    page.get_by_label("The code that the app shows").fill(app.now())
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator("li code")
    expect(codes).to_have_count(second_factors.RECOVERY_CODES)
    recovery = codes.first.inner_text()
    look_at(page)
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_role("heading", name="App")).to_be_visible()
    leave(page)
    enter(page, lead)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    look_at(page)
    page.get_by_label("Code of the app").fill("000")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert").get_by_text("This code is not right")).to_be_visible()
    look_at(page)
    page.get_by_label("Code of the app").fill(recovery)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_the_code_of_an_app_comes_after_the_password(page: Page, live_server: Any, lead: User) -> None:
    secret = second_factors.new_secret()
    AuthenticatorApp.objects.create(user=lead, sealed_secret=sealing.seal(secret))
    page.goto(f"{live_server.url}/login/?next=/glossary/")
    look_at(page)
    enter(page, lead)
    page.get_by_label("Code of the app").fill(pyotp.TOTP(secret).at(int(time.time())))
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{live_server.url}/glossary/")


def test_a_passkey_is_added_and_lets_in_beside_the_password_and_without(
    open_as: OpenAs, device: Any, live_server: Any, lead: User
) -> None:
    page = open_as(lead, "/account/second-factor/")
    with page.expect_navigation():
        page.get_by_role("link", name="Add a passkey").click()
    look_at(page)
    page.get_by_label("What you call it").fill("Phone")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.locator("li code")).to_have_count(second_factors.RECOVERY_CODES)
    assert Passkey.objects.get().user == lead
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Phone, not used yet")).to_be_visible()
    look_at(page)
    leave(page)
    enter(page, lead)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    look_at(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    leave(page)
    with page.expect_navigation():
        page.get_by_role("link", name="Log in with a passkey").click()
    look_at(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    assert Passkey.objects.get().uses >= 2


def test_a_browser_without_a_passkey_of_the_site_says_so(
    page: Page, device: Any, live_server: Any, lead: User
) -> None:
    page.goto(f"{live_server.url}/login/passkey/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").get_by_text("The browser has given no passkey")).to_be_visible()
    look_at(page)
