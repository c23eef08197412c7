from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from annotate.models import ApiKey, User
from annotate.services.people import api_keys
from annotate.views.api_keys import NEW_SECRET

SignIn = Callable[[User], Client]


def make(client: Client, **changes: object) -> str:
    fields = {"name": "robot", "scopes": ["predict", "models:read"], "days": "90", **changes}
    return client.post("/account/keys/", fields, follow=True).content.decode()


def test_a_new_key_is_shown_once_and_works(annotator: User, sign_in: SignIn) -> None:
    client = sign_in(annotator)
    page = make(client)
    secret = page.partition("<code>winnow_")[2].partition("</code>")[0]
    key = api_keys.find(f"winnow_{secret}")
    assert key is not None
    assert (key.user, key.scopes) == (annotator, ["predict", "models:read"])
    assert key.expires_at is not None
    assert abs(key.expires_at - timezone.now() - timedelta(days=90)) < timedelta(minutes=1)
    again = client.get("/account/keys/").content.decode()
    assert secret not in again
    assert key.prefix in again


def test_making_a_key_redirects_so_that_a_reload_makes_no_second_one(
    annotator: User, sign_in: SignIn
) -> None:
    client = sign_in(annotator)
    fields = {"name": "robot", "scopes": ["predict"], "days": "90"}
    response = client.post("/account/keys/", fields)
    assert (response.status_code, response["Location"]) == (302, "/account/keys/")
    client.head("/account/keys/")
    assert b"<code>winnow_" in client.get("/account/keys/").content
    client.get("/account/keys/")
    assert ApiKey.objects.count() == 1
    assert NEW_SECRET not in client.session


def test_a_refused_form_keeps_what_was_typed(annotator: User, sign_in: SignIn) -> None:
    page = make(sign_in(annotator), scopes=[])
    assert 'value="robot"' in page
    assert "field-error" in page


def test_every_page_leads_to_the_keys(annotator: User, sign_in: SignIn) -> None:
    assert 'href="/account/keys/"' in sign_in(annotator).get("/projects/", follow=True).content.decode()


def test_the_page_that_shows_a_key_is_not_cached(annotator: User, sign_in: SignIn) -> None:
    assert "no-store" in sign_in(annotator).get("/account/keys/")["Cache-Control"]


def test_a_key_without_scopes_or_with_invented_ones_is_refused(annotator: User, sign_in: SignIn) -> None:
    client = sign_in(annotator)
    make(client, scopes=[])
    make(client, scopes=["everything"])
    make(client, days="-1")
    assert not ApiKey.objects.exists()


def test_a_key_may_never_expire(annotator: User, sign_in: SignIn) -> None:
    make(sign_in(annotator), days="0")
    assert ApiKey.objects.get().expires_at is None


def test_a_revoked_key_is_gone_from_the_page(annotator: User, sign_in: SignIn) -> None:
    client = sign_in(annotator)
    make(client)
    key = ApiKey.objects.get()
    assert client.post(f"/account/keys/{key.pk}/revoke/").status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert key.prefix not in client.get("/account/keys/").content.decode()


def test_nobody_sees_or_revokes_the_keys_of_another(annotator: User, stranger: User, sign_in: SignIn) -> None:
    make(sign_in(annotator))
    key = ApiKey.objects.get()
    other = sign_in(stranger)
    other.post(f"/account/keys/{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at is None
    assert key.prefix not in other.get("/account/keys/").content.decode()


def test_it_asks_to_log_in(client: Client) -> None:
    assert client.get("/account/keys/").headers["Location"].startswith("/login/")
