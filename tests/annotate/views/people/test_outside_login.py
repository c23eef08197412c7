"""Logging in by the account of another site: who is let in, and what it may not be made to believe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from annotate.models import AuthenticatorApp, Event, Membership, OutsideLogin, Project, User
from annotate.services.logins import oidc
from annotate.services.people import invitations
from tests.annotate.made.identity_provider import ANOTHER_KEY, CLIENT, SECRET, IdentityProvider
from tests.conftest import PASSWORD

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def site(settings: Any) -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    settings.OIDC_ISSUER, settings.OIDC_NAME = provider.issuer, "Example Org"
    settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, SECRET
    settings.SITE_URL = "https://label.example.org"
    oidc._known.clear()
    yield provider
    provider.close()


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user(
        "ada", email="Ada@example.org", email_confirmed_at=timezone.now(), password=PASSWORD
    )


def come(site: IdentityProvider, client: Client | None = None, then: str = "") -> Any:
    """Go through the other site and return the answer to what comes back."""
    browser = client or Client()
    asked = browser.get("/login/other/", {"next": then})
    return browser.get(site.lets_in(asked["Location"]))


def is_in(browser: Client) -> bool:
    return bool(browser.get("/account/").status_code == 200)


def test_somebody_whose_confirmed_address_it_is_comes_in(ada: User, site: IdentityProvider) -> None:
    browser = Client()
    assert "Log in by Example Org" in browser.get("/login/").content.decode()
    assert come(site, browser, "/glossary/")["Location"] == "/glossary/"
    assert is_in(browser)
    link = OutsideLogin.objects.get()
    assert (link.user, link.issuer, link.subject) == (ada, site.issuer, "ada-1")
    assert Event.objects.get(kind="outside-login-added").subject == "ada"
    User.objects.update(email="other@example.org")  # from now on the other site's own name of her decides
    again = Client()
    come(site, again)
    assert is_in(again)


@pytest.mark.parametrize(
    ("of_account", "of_other"),
    [
        ({"email_confirmed_at": None}, {}),
        ({"is_active": False}, {}),
        ({"email": "ada@elsewhere.org"}, {}),
        ({}, {"email_verified": False}),
        ({}, {"email_verified": None}),
        ({}, {"email_verified": "true"}),
        ({}, {"email": None}),
        ({}, {"email": "аda@example.org"}),
    ],
)
def test_nobody_else_comes_in_and_no_account_is_made(
    of_account: dict[str, Any], of_other: dict[str, Any], ada: User, site: IdentityProvider
) -> None:
    User.objects.update(**of_account)
    site.person |= of_other
    browser = Client()
    refused = come(site, browser)
    assert refused.status_code == 403
    assert "this site has no account for you" in refused.content.decode()
    assert not is_in(browser)
    assert (User.objects.count(), OutsideLogin.objects.count()) == (1, 0)


def test_an_address_of_two_accounts_lets_in_neither(ada: User, site: IdentityProvider) -> None:
    User.objects.create_user("twin", email="ada@example.org", email_confirmed_at=timezone.now())
    assert come(site).status_code == 403


def test_another_account_there_does_not_take_over_one_that_is_connected(
    ada: User, site: IdentityProvider
) -> None:
    come(site)
    site.person["sub"] = "somebody-who-got-the-address-later"
    assert come(site).status_code == 403


def test_a_disabled_person_stays_out_also_when_connected(ada: User, site: IdentityProvider) -> None:
    come(site)
    User.objects.update(is_active=False)
    assert come(site).status_code == 403


def test_the_second_factor_is_asked_for_all_the_same(ada: User, site: IdentityProvider) -> None:
    AuthenticatorApp.objects.create(user=ada, sealed_secret="")
    browser = Client()
    assert come(site, browser)["Location"] == "/login/second-step/"
    assert not is_in(browser)


def test_who_is_invited_gets_an_account_without_a_password(
    project: Project, lead: User, site: IdentityProvider
) -> None:
    User.objects.create_user("Ada")
    ((_row, token),) = invitations.issue(project=project, by=lead, role="annotator", guests=["Ada"], days=7)
    page = Client().get(f"/invitations/{token}/").content.decode()
    assert f"/login/other/?next=/invitations/{token}/" in page
    browser = Client()
    assert come(site, browser, f"/invitations/{token}/")["Location"] == f"/projects/{project.slug}/"
    user = OutsideLogin.objects.get().user
    assert (user.username, user.email, user.has_usable_password()) == ("ada-2", "ada@example.org", False)
    assert Membership.objects.filter(user=user, project=project).exists()
    assert come(site, Client(), f"/invitations/{token}/")["Location"] == f"/invitations/{token}/"
    site.person = {"sub": "bo"}
    assert come(site, Client(), f"/invitations/{token}/").status_code == 403


def test_sign_up_is_open_only_where_the_environment_says_so(
    db: None, site: IdentityProvider, settings: Any
) -> None:
    settings.OIDC_SIGN_UP, settings.OIDC_DOMAINS = True, ["example.org"]
    browser = Client()
    come(site, browser)
    assert is_in(browser)
    site.person = {"sub": "eve", "email": "eve@evil-example.org", "email_verified": True}
    assert "one of these domains" in come(site).content.decode()
    site.person = {"sub": "mallory", "email": "mallory@example.org", "email_verified": False}
    assert come(site).status_code == 403
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example.com"},
        {"aud": "another client"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"nonce": "of another login"},
        {"nonce": None},
    ],
    ids=str,
)
def test_a_token_for_another_one_or_another_time_is_refused(
    claims: dict[str, Any], ada: User, site: IdentityProvider
) -> None:
    site.person |= claims
    if claims == {"nonce": None}:
        site.person["nonce"] = ""
    refused = come(site)
    assert refused.status_code == 403
    assert "could not be verified" in refused.content.decode()


@pytest.mark.parametrize(
    "signs_with", [(ANOTHER_KEY, "RS256"), (SECRET, "HS256"), (None, "none")], ids=["key", "secret", "none"]
)
def test_a_token_that_the_site_has_not_signed_is_refused(
    signs_with: tuple[Any, str], ada: User, site: IdentityProvider
) -> None:
    site.signs_with = signs_with
    assert come(site).status_code == 403
    assert not OutsideLogin.objects.exists()


def test_an_address_may_come_by_userinfo_of_the_same_person(ada: User, site: IdentityProvider) -> None:
    site.person = {"sub": "ada-1"}
    site.userinfo = {"sub": "another", "email": "ada@example.org", "email_verified": True}
    assert come(site).status_code == 403
    site.userinfo["sub"] = "ada-1"
    assert come(site).status_code == 302


def test_an_answer_counts_once_in_the_browser_that_asked(ada: User, site: IdentityProvider) -> None:
    browser, thief = Client(), Client()
    answer = site.lets_in(browser.get("/login/other/")["Location"])
    thief.get("/login/other/")
    assert thief.get(answer).status_code == 403
    assert not is_in(thief)
    assert browser.get(answer).status_code == 302
    assert browser.get(answer).status_code == 403


def test_a_question_goes_with_a_challenge_and_to_this_site_whatever_the_host(
    db: None, settings: Any, site: IdentityProvider
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    asked = Client().get("/login/other/", headers={"host": "evil.example.com"})["Location"]
    sent = parse_qs(urlsplit(asked).query)
    assert sent["redirect_uri"] == ["https://label.example.org/login/other/back/"]
    assert sent["code_challenge_method"] == ["S256"]
    assert sent["scope"] == ["openid email profile"]


def test_nobody_is_sent_on_to_another_site_afterwards(ada: User, site: IdentityProvider) -> None:
    assert come(site, then="https://evil.example.com/")["Location"] == "/projects/"


@pytest.mark.parametrize(
    "says", [{"issuer": "https://another.example.com"}, {"token_endpoint": "ftp://127.0.0.1/"}], ids=str
)
def test_a_site_that_says_it_is_another_is_not_asked(
    says: dict[str, str], db: None, site: IdentityProvider
) -> None:
    site.says_of_itself = says
    assert Client().get("/login/other/").status_code == 503


def test_a_site_that_is_away_is_a_sentence(db: None, site: IdentityProvider) -> None:
    site.close()
    refused = Client().get("/login/other/")
    assert refused.status_code == 503
    assert "Example Org cannot be reached" in refused.content.decode()


def test_one_who_is_not_let_in_there_is_told(db: None, site: IdentityProvider) -> None:
    browser = Client()
    state = parse_qs(urlsplit(browser.get("/login/other/")["Location"]).query)["state"][0]
    refused = browser.get("/login/other/back/", {"state": state, "error": "access_denied<script>"})
    assert refused.status_code == 403
    assert "Example Org has not let you in" in refused.content.decode()
    assert "script>" not in refused.content.decode().split("<main")[1]


def test_without_an_issuer_there_is_no_such_login(lead: User, sign_in: SignIn, settings: Any) -> None:
    settings.OIDC_ISSUER = ""
    assert Client().get("/login/other/").status_code == 404
    assert sign_in(lead).get("/account/outside-login/").status_code == 404
    assert "/login/other/" not in Client().get("/login/").content.decode()


def test_two_accounts_are_connected_and_parted_by_the_password(
    lead: User, sign_in: SignIn, site: IdentityProvider
) -> None:
    browser = sign_in(lead)
    assert browser.post("/account/outside-login/", {"password": "wrong"}).status_code == 422
    page = browser.post("/account/outside-login/", {"password": PASSWORD})
    assert browser.get(site.lets_in(page.context["address"]))["Location"] == "/account/"
    assert OutsideLogin.objects.get().user == lead
    other = Client()
    come(site, other)
    assert is_in(other)
    browser.post("/account/outside-login/", {"password": PASSWORD})
    assert not OutsideLogin.objects.exists()
    assert Event.objects.filter(kind="outside-login-removed", by=lead).exists()


def test_a_connection_is_that_of_who_asked_for_it(
    lead: User, annotator: User, sign_in: SignIn, site: IdentityProvider
) -> None:
    browser = sign_in(lead)
    page = browser.post("/account/outside-login/", {"password": PASSWORD})
    asked = browser.session["outside_login"]
    browser.force_login(annotator)
    kept = browser.session
    kept["outside_login"] = asked
    kept.save()
    assert browser.get(site.lets_in(page.context["address"])).status_code == 403
    assert not OutsideLogin.objects.exists()


def test_an_account_there_is_connected_to_one_person(
    ada: User, lead: User, sign_in: SignIn, site: IdentityProvider
) -> None:
    come(site)
    browser = sign_in(lead)
    page = browser.post("/account/outside-login/", {"password": PASSWORD})
    assert browser.get(site.lets_in(page.context["address"])).status_code == 403


def test_nobody_parts_from_their_only_way_in(ada: User, sign_in: SignIn, site: IdentityProvider) -> None:
    come(site)
    ada.set_unusable_password()
    ada.save()
    browser = Client()
    come(site, browser)
    assert browser.post("/account/outside-login/").status_code == 422
    assert OutsideLogin.objects.exists()
