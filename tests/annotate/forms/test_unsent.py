"""What was typed is not lost where the session or the token of its form had ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Project, User
from tests.annotate.requests.test_any_request import Fields
from tests.conftest import PASSWORD

HERE = {"Sec-Fetch-Site": "same-origin"}
TYPED = {
    "name": "Bank <cards>",
    "slug": "bank",
    "task": "single",
    "labels": "card\nloan",
    "guidelines": "Read & on.",
}


def form_of(page: Any, action: str) -> dict[str, list[str]]:
    """Return the fields of the form of a page that goes to an address, as a browser would send them."""
    found: dict[str, list[str]] = {}
    reader = Fields(page.content.decode(), "")
    (there,) = [form for address, form in reader.forms if address == action]
    for name in there:
        found[name] = [there[name]]
    return found


@pytest.fixture
def strict(lead: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(lead)
    return client


def test_a_form_with_an_old_token_is_shown_with_what_was_typed_and_can_be_sent_again(strict: Client) -> None:
    address = reverse("project-create")
    page = strict.post(address, {**TYPED, "csrfmiddlewaretoken": "x" * 64}, headers=HERE)
    assert page.status_code == 403
    again = form_of(page, address)
    assert {name: values[0] for name, values in again.items() if name in TYPED} == TYPED
    assert strict.post(address, again).status_code == 302
    assert Project.objects.get().guidelines == TYPED["guidelines"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://elsewhere"},
        {"Origin": "null"},
        {"Referer": "https://elsewhere/testserver"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    ],
)
def test_what_another_site_sends_is_not_offered_to_be_sent_again(
    strict: Client, headers: dict[str, str]
) -> None:
    page = strict.post(reverse("project-create"), TYPED, headers=headers)
    assert page.status_code == 403
    assert "Nothing was changed" in page.content.decode()
    assert "cards" not in page.content.decode()


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://testserver"}, {"Referer": "http://testserver/projects/new/"}]
)
def test_a_browser_that_names_the_page_in_another_way_is_believed(
    strict: Client, headers: dict[str, str]
) -> None:
    assert "Send again" in strict.post(reverse("project-create"), TYPED, headers=headers).content.decode()


def test_a_session_that_ended_meanwhile_costs_a_login_and_nothing_else(lead: User) -> None:
    client, address = Client(), reverse("project-create")
    page = client.post(address, TYPED)
    assert page.status_code == 403
    assert "You are logged out" in page.content.decode()
    assert "Bank &lt;cards&gt;" in page.content.decode()
    carried = {"unsent-address": address, "unsent-name": list(TYPED), "unsent-value": list(TYPED.values())}
    wrong = client.post(reverse("login"), {**carried, "username": "lena", "password": "wrong"})
    assert wrong.content.decode().count("unsent-value") == len(TYPED)
    offer = client.post(reverse("login"), {**carried, "username": "lena", "password": PASSWORD})
    again = form_of(offer, address)
    assert {name: values[0] for name, values in again.items() if name in TYPED} == TYPED
    assert client.post(address, again).status_code == 302


def test_passwords_and_files_are_not_kept_and_that_is_said(strict: Client) -> None:
    sent = {"old_password": "hush hush", "new_password1": "so secret", "username": "lena"}
    page = strict.post(reverse("account-password"), sent, headers=HERE).content.decode()
    assert "Passwords and files are not kept" in page
    assert "hush hush" not in page
    assert "so secret" not in page


def test_a_form_that_holds_nothing_leads_to_the_login_as_ever(db: None) -> None:
    response = Client().post(reverse("project-create"), {})
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("login"))


def test_the_script_of_the_labelling_page_is_sent_to_the_login_as_ever(project: Project) -> None:
    response = Client().post(
        reverse("label", args=[project.slug]), {"card": "x"}, headers={"HX-Request": "true"}
    )
    assert response.status_code == 302


@pytest.mark.parametrize(
    "address", ["//elsewhere/", "https://elsewhere/", "/\\elsewhere", "", "javascript:1"]
)
def test_nothing_is_carried_to_another_site(lead: User, address: str) -> None:
    sent = {"unsent-address": address, "unsent-name": "a", "unsent-value": "b"}
    page = Client().post(reverse("login"), {**sent, "username": "lena", "password": PASSWORD})
    assert page.status_code == 302
    assert page["Location"] == reverse("projects")


def test_a_login_whose_own_token_is_old_still_carries_the_form(
    strict: Client, sign_in: Callable[[User], Client]
) -> None:
    """Another tab has logged in meanwhile, which has changed the token."""
    carried = {"unsent-address": "/projects/new/", "unsent-name": ["name"], "unsent-value": ["Bank"]}
    page = strict.post(reverse("login"), {**carried, "username": "lena", "password": "x"}, headers=HERE)
    assert form_of(page, "/projects/new/")["name"] == ["Bank"]
