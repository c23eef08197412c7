"""Passkeys beside a password and in place of one, and responses that prove nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.test import Client

from annotate.models import Event, Passkey, RecoveryCode, User
from annotate.services.logins import passkeys, second_factors
from tests.annotate.made.authenticator import USER_PRESENT, Authenticator
from tests.conftest import PASSWORD

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]
NEW, ALONE, SECOND_STEP = "/account/second-factor/passkey/", "/login/passkey/", "/login/second-step/"


def asked(page: Any) -> str:
    (options,) = re.findall(r'data-options="([^"]*)"', page.content.decode())
    return unescape(options)


def add(browser: Client, device: Authenticator, name: str = "phone", **fields: str) -> Any:
    sent = {"name": name, "password": PASSWORD, "credential": device.make(asked(browser.get(NEW)))}
    return browser.post(NEW, sent | fields)


@pytest.fixture
def device(lead: User, sign_in: SignIn) -> Authenticator:
    """A device with a passkey of the lead's."""
    device = Authenticator()
    assert add(sign_in(lead), device).status_code == 200
    return device


def begin() -> tuple[Client, str]:
    """Show the password, and return what the next page asks the browser."""
    browser = Client()
    browser.post("/login/", {"username": "lena", "password": PASSWORD})
    return browser, asked(browser.get(SECOND_STEP))


def is_in(browser: Client) -> bool:
    return bool(browser.get("/account/").status_code == 200)


def test_a_passkey_is_added_by_the_password_and_brings_recovery_codes(lead: User, sign_in: SignIn) -> None:
    browser, device = sign_in(lead), Authenticator()
    assert add(browser, device, password="wrong").status_code == 422
    assert not Passkey.objects.exists()
    page = add(browser, device)
    assert len(re.findall(r"<code>", page.content.decode())) == second_factors.RECOVERY_CODES
    assert Passkey.objects.get().name == "phone"
    assert Event.objects.get(kind="second-factor-added").details == {"what": "passkey"}
    known = add(browser, device)
    assert known.status_code == 422
    assert "known to the site already" in known.content.decode()


def test_it_is_the_second_step(device: Authenticator) -> None:
    browser, options = begin()
    assert browser.post(SECOND_STEP, {"credential": device.sign(options)})["Location"] == "/projects/"
    assert is_in(browser)


def test_it_lets_in_without_a_password_and_without_a_second_step(device: Authenticator) -> None:
    browser = Client()
    response = device.sign(asked(browser.get(ALONE)))
    assert browser.post(ALONE, {"credential": response, "next": "/glossary/"})["Location"] == "/glossary/"
    assert is_in(browser)


def test_in_place_of_a_password_the_device_has_to_know_its_owner(device: Authenticator) -> None:
    device.flags = USER_PRESENT
    browser = Client()
    assert browser.post(ALONE, {"credential": device.sign(asked(browser.get(ALONE)))}).status_code == 422
    assert not is_in(browser)
    browser, options = begin()
    browser.post(SECOND_STEP, {"credential": device.sign(options)})
    assert is_in(browser)


def test_a_false_site_below_the_same_domain_gets_nothing_that_works(device: Authenticator) -> None:
    for origin in ("https://testserver.evil.example.com", "http://sub.testserver", "http://testserver:8001"):
        device.origin = origin
        browser, options = begin()
        assert browser.post(SECOND_STEP, {"credential": device.sign(options)}).status_code == 422
        assert not is_in(browser)


def test_a_response_answers_one_challenge_of_one_browser(device: Authenticator) -> None:
    browser, options = begin()
    response = device.sign(options)
    thief, _other = begin()
    assert thief.post(SECOND_STEP, {"credential": response}).status_code == 422
    browser.post(SECOND_STEP, {"credential": response})
    assert is_in(browser)
    browser.post("/logout/")
    again, _options = begin()
    assert again.post(SECOND_STEP, {"credential": response}).status_code == 422
    assert not is_in(again)
    assert not is_in(thief)


def test_a_copy_gives_itself_away_by_its_count(device: Authenticator) -> None:
    browser, options = begin()
    browser.post(SECOND_STEP, {"credential": device.sign(options)})
    device.count = 0
    browser, options = begin()
    assert browser.post(SECOND_STEP, {"credential": device.sign(options)}).status_code == 422


def test_a_passkey_of_another_person_is_none(device: Authenticator, annotator: User, sign_in: SignIn) -> None:
    another = Authenticator()
    add(sign_in(annotator), another)
    browser, options = begin()
    assert browser.post(SECOND_STEP, {"credential": another.sign(options)}).status_code == 422
    assert not is_in(browser)


def test_a_signature_of_another_key_proves_nothing(device: Authenticator) -> None:
    forged = Authenticator()
    forged.id = device.id
    browser, options = begin()
    assert browser.post(SECOND_STEP, {"credential": forged.sign(options)}).status_code == 422
    assert AccessAttempt.objects.get().failures_since_start == 1


@pytest.mark.parametrize(
    "response",
    ["", "{", "[]", "null", '{"id": 7}', '{"id": "AAAA", "rawId": "!", "response": {}}', "9" * 20_001],
)
def test_what_is_no_response_is_a_sentence(response: str, device: Authenticator) -> None:
    browser, _options = begin()
    assert browser.post(SECOND_STEP, {"credential": response}).status_code == 422
    alone = Client()
    alone.get(ALONE)
    assert alone.post(ALONE, {"credential": response}).status_code == 422


@pytest.mark.parametrize("response", ["", "{", "[]", '{"id": "AAAA", "rawId": "AAAA", "response": {}}'])
def test_what_is_no_new_passkey_is_a_sentence(response: str, lead: User, sign_in: SignIn) -> None:
    browser = sign_in(lead)
    browser.get(NEW)
    assert browser.post(NEW, {"name": "a", "password": PASSWORD, "credential": response}).status_code == 422
    assert not Passkey.objects.exists()


def test_one_person_has_ten_at_most(lead: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "MOST", 1)
    browser = sign_in(lead)
    add(browser, Authenticator())
    assert add(browser, Authenticator()).status_code == 422


def test_guesses_with_passkeys_lock_the_door(device: Authenticator, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    forged = Authenticator()
    forged.id = device.id
    statuses = []
    for _number in range(2):
        browser = Client()
        answer = browser.post(ALONE, {"credential": forged.sign(asked(browser.get(ALONE)))})
        statuses.append(answer.status_code)
    assert statuses == [422, 429]


def test_it_is_removed_by_the_password_and_by_nobody_else(
    device: Authenticator, lead: User, annotator: User, sign_in: SignIn
) -> None:
    where = f"{NEW}{Passkey.objects.get().pk}/remove/"
    assert sign_in(annotator).post(where, {"password": PASSWORD}).status_code == 404
    assert sign_in(lead).post(where, {"password": "wrong"}).status_code == 422
    assert Passkey.objects.exists()
    sign_in(lead).post(where, {"password": PASSWORD})
    assert not Passkey.objects.exists()
    assert not RecoveryCode.objects.exists()
    assert Client().post("/login/", {"username": "lena", "password": PASSWORD})["Location"] == "/projects/"


def test_a_disabled_person_has_no_passkey_that_works(device: Authenticator) -> None:
    User.objects.update(is_active=False)
    browser = Client()
    assert browser.post(ALONE, {"credential": device.sign(asked(browser.get(ALONE)))}).status_code == 422


def test_the_address_of_the_site_is_the_set_one_whatever_the_host(
    lead: User, sign_in: SignIn, settings: Any
) -> None:
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://label.example.org", ["*"]
    options = asked(sign_in(lead).get(NEW, headers={"host": "evil.example.com"}))
    assert '"id": "label.example.org"' in options
