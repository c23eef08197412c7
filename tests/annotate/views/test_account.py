"""The page where people change their own password, and what ends with the old one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from annotate.models import User
from annotate.services.people import api_keys
from tests.conftest import PASSWORD

SignIn = Callable[[User], Client]
PAGE = "/account/password/"
NEW = "a sentence nobody guesses"


def change(client: Client, old: str = PASSWORD, new: str = NEW, again: str = "") -> Any:
    return client.post(PAGE, {"old_password": old, "new_password1": new, "new_password2": again or new})


def test_the_old_password_is_exchanged_for_a_new_one(annotator: User, sign_in: SignIn) -> None:
    client = sign_in(annotator)
    assert change(client)["Location"] == PAGE
    assert "Your password is changed" in client.get(PAGE).content.decode()
    annotator.refresh_from_db()
    assert annotator.check_password(NEW)


def test_every_page_leads_there(annotator: User, sign_in: SignIn) -> None:
    assert f'href="{PAGE}"' in sign_in(annotator).get("/projects/").content.decode()


@pytest.mark.parametrize(
    ("old", "new", "again", "sentence"),
    [
        ("wrong", NEW, "", "Your old password was entered incorrectly"),
        (PASSWORD, "short", "", "at least 10 characters"),
        (PASSWORD, "password123", "", "too common"),
        (PASSWORD, NEW, "another one", "didn’t match"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(
    old: str, new: str, again: str, sentence: str, annotator: User, sign_in: SignIn
) -> None:
    response = change(sign_in(annotator), old, new, again)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert 'aria-invalid="true"' in response.content.decode()
    annotator.refresh_from_db()
    assert annotator.check_password(PASSWORD)


def test_sessions_elsewhere_end_and_this_one_goes_on(annotator: User, sign_in: SignIn) -> None:
    here, elsewhere = sign_in(annotator), sign_in(annotator)
    change(here)
    assert here.get("/projects/").status_code == 200
    assert elsewhere.get("/projects/").status_code == 302


def by_an_administrator(user: User, sign_in: SignIn) -> None:
    admin = User.objects.create_superuser("root", password=PASSWORD)
    fields = {"password1": NEW, "password2": NEW, "usable_password": "true"}
    sign_in(admin).post(f"/admin/annotate/user/{user.pk}/password/", fields)


def by_a_command(user: User, sign_in: SignIn) -> None:
    user.set_password(NEW)  # what manage.py changepassword does after it has asked twice
    user.save()


@pytest.mark.parametrize(
    "way", [lambda user, sign_in: change(sign_in(user)), by_an_administrator, by_a_command]
)
def test_keys_and_sessions_end_with_the_password_whoever_changed_it(
    way: Callable[[User, SignIn], object], annotator: User, lead: User, sign_in: SignIn
) -> None:
    elsewhere = sign_in(annotator)
    _key, secret = api_keys.issue(user=annotator, name="robot", scopes=["predict"])
    _other, theirs = api_keys.issue(user=lead, name="robot", scopes=["predict"])
    way(annotator, sign_in)
    annotator.refresh_from_db()
    assert annotator.check_password(NEW)
    assert api_keys.find(secret) is None
    assert api_keys.find(theirs) is not None
    assert elsewhere.get("/projects/").status_code == 302


def test_a_better_hash_of_the_same_password_ends_nothing(annotator: User, settings: Any) -> None:
    _key, secret = api_keys.issue(user=annotator, name="robot", scopes=["predict"])
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    before = annotator.password
    assert annotator.check_password(PASSWORD)
    assert annotator.password != before
    assert api_keys.find(secret) is not None


def test_guesses_at_the_old_password_are_counted(annotator: User, sign_in: SignIn, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    client = sign_in(annotator)
    assert [change(client, "wrong").status_code for _ in range(3)] == [422, 422, 429]
    assert change(client).status_code == 429
    annotator.refresh_from_db()
    assert annotator.check_password(PASSWORD)


def test_it_asks_to_log_in(client: Client) -> None:
    assert client.get(PAGE)["Location"].startswith("/login/")


def test_the_command_for_a_lost_password_exists() -> None:
    with pytest.raises(SystemExit):
        call_command("changepassword", "--help")
