"""What people see of mails: a forgotten password, another address, invitations; also without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail as django_mail
from django.test import Client
from django.utils import timezone

from annotate.models import AddressLink, Event, Invitation, Mail, Membership, PasswordLink, Project, User
from annotate.services.mail import outbox
from tests.conftest import PASSWORD

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]
SITE = "https://label.example.org"
NEW = "another long sentence"


@pytest.fixture(autouse=True)
def _mail_is_set(settings: Any) -> None:
    settings.EMAIL_HOST, settings.SITE_URL = "mail.example.org", SITE
    settings.DEFAULT_FROM_EMAIL = "winnow@example.org"


def deliver() -> list[str]:
    """Hand over what waits, and return the paths of the links in it."""
    django_mail.outbox.clear()
    for row in Mail.objects.filter(state="queued").order_by("pk"):
        outbox.run(row.pk)
    assert not Mail.objects.filter(state="queued").exists()
    lines = [line for sent in django_mail.outbox for line in sent.body.splitlines()]
    return [line.removeprefix(SITE) for line in lines if line.startswith(SITE)]


def test_a_forgotten_password_is_set_once_by_a_link_and_ends_sessions(
    lead: User, sign_in: SignIn, client: Client
) -> None:
    User.objects.filter(pk=lead.pk).update(email="lena@example.org")
    open_elsewhere = sign_in(lead)
    assert "Send me a link" in client.get("/login/forgotten/").content.decode()
    answer = client.post("/login/forgotten/", {"who": "lena"})
    nobody = client.post("/login/forgotten/", {"who": "nobody"})
    assert answer.status_code == 200
    assert "is on its way" in answer.content.decode()
    assert answer.content == nobody.content
    (link,) = deliver()
    fields = {"new_password1": NEW, "new_password2": NEW}
    assert client.post(link, fields)["Location"] == "/login/"
    assert open_elsewhere.get("/account/").status_code == 302
    assert client.post("/login/", {"username": "lena", "password": NEW})["Location"] == "/projects/"
    assert client.get(link).status_code == 404
    assert Client().post(link, fields).status_code == 404


def test_a_request_cannot_choose_where_the_link_leads(lead: User, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    User.objects.filter(pk=lead.pk).update(email="lena@example.org")
    poisoned = {"host": "evil.example.com", "x-forwarded-host": "evil.example.com"}
    Client().post("/login/forgotten/", {"who": "lena"}, headers=poisoned)
    deliver()
    assert SITE in django_mail.outbox[0].body
    assert "evil" not in django_mail.outbox[0].body


def test_asking_looks_for_no_account(lead: User, django_assert_num_queries: Any) -> None:
    """So that the time that it takes does not tell either."""
    with django_assert_num_queries(3):
        Client().post("/login/forgotten/", {"who": "lena"})
    with django_assert_num_queries(3):
        Client().post("/login/forgotten/", {"who": "nobody"})


def test_too_many_wishes_from_one_address_are_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "OF_AN_ADDRESS", 1)
    assert Client().post("/login/forgotten/", {"who": "a"}).status_code == 200
    refused = Client().post("/login/forgotten/", {"who": "b"})
    assert refused.status_code == 429
    assert "many mails" in refused.content.decode()


def test_without_a_mail_server_the_page_says_who_can_help(db: None, settings: Any) -> None:
    settings.EMAIL_HOST = ""
    page = Client().post("/login/forgotten/", {"who": "lena"}).content.decode()
    assert "Ask an administrator" in page
    assert not Mail.objects.exists()


def test_another_address_is_ones_own_once_it_is_confirmed(lead: User, sign_in: SignIn) -> None:
    User.objects.filter(pk=lead.pk).update(email="old@example.org")
    PasswordLink.objects.create(user=lead, digest="0" * 64, expires_at=timezone.now())
    browser = sign_in(lead)
    browser.post("/account/", {"email": "sneaked@example.org"})
    browser.post("/account/address/", {"email": "new@example.org", "password": PASSWORD})
    lead.refresh_from_db()
    assert lead.email == "old@example.org"
    (link,) = deliver()
    assert django_mail.outbox[0].to == ["new@example.org"]
    assert Client().get(link).status_code == 200  # as a mail server does, which looks behind links
    lead.refresh_from_db()
    assert lead.email == "old@example.org"
    Client().post(link)
    lead.refresh_from_db()
    assert lead.email == "new@example.org"
    assert lead.email_confirmed_at is not None
    assert not PasswordLink.objects.exists()
    assert Event.objects.get(kind="account-changed").details == {"fields": ["email"]}
    assert Client().post(link).status_code == 404
    assert deliver() == []
    assert django_mail.outbox[0].to == ["old@example.org"]


def test_another_address_takes_the_password(lead: User, sign_in: SignIn) -> None:
    wrong = sign_in(lead).post("/account/address/", {"email": "new@example.org", "password": "wrong"})
    assert wrong.status_code == 422
    assert not AddressLink.objects.exists()


def test_an_earlier_change_of_address_is_replaced(lead: User, sign_in: SignIn) -> None:
    for address in ("one@example.org", "two@example.org"):
        sign_in(lead).post("/account/address/", {"email": address, "password": PASSWORD})
    (link,) = deliver()
    assert django_mail.outbox[0].to == ["two@example.org"]
    assert Mail.objects.get(to="one@example.org").state == "failed"
    assert Client().get(link).status_code == 200


def test_without_a_mail_server_people_write_their_address_and_it_is_not_confirmed(
    lead: User, sign_in: SignIn, settings: Any
) -> None:
    settings.EMAIL_HOST = ""
    User.objects.filter(pk=lead.pk).update(email="old@example.org", email_confirmed_at=timezone.now())
    browser = sign_in(lead)
    browser.post("/account/", {"email": "new@example.org"})
    lead.refresh_from_db()
    assert (lead.email, lead.email_confirmed_at) == ("new@example.org", None)
    assert browser.get("/account/address/").status_code == 404


def test_each_guest_gets_a_mail_or_a_link_and_the_page_tells_which(
    project: Project, lead: User, sign_in: SignIn
) -> None:
    guests = "ada@example.org\nBoris\nЮля <julia@example.org>"
    fields = {"guests": guests, "role": "annotator", "days": "7", "by_mail": "on"}
    browser = sign_in(lead)
    page = browser.post(f"/projects/{project.slug}/invite/", fields, follow=True)
    assert page.context["new_mails"] == ["ada@example.org", "Юля <julia@example.org>"]
    assert [guest for guest, _link in page.context["new_links"]] == ["Boris"]
    assert "The mail is being sent" in page.content.decode()
    first, _second = deliver()
    assert "Sent by e-mail" in browser.get(f"/projects/{project.slug}/members/").content.decode()
    joined = {"username": "ada", "password1": NEW, "password2": NEW}
    Client().post(first, joined)
    ada = User.objects.get(username="ada")
    assert (ada.email, ada.email_confirmed_at is None) == ("ada@example.org", False)
    assert Membership.objects.filter(user=ada, project=project).exists()


def test_an_account_from_before_gets_no_address_by_an_invitation(
    project: Project, lead: User, stranger: User, sign_in: SignIn
) -> None:
    fields = {"guests": "ada@example.org", "role": "annotator", "days": "7", "by_mail": "on"}
    sign_in(lead).post(f"/projects/{project.slug}/invite/", fields)
    (link,) = deliver()
    sign_in(stranger).post(link)  # to whom it was handed on
    stranger.refresh_from_db()
    assert Membership.objects.filter(user=stranger, project=project).exists()
    assert (stranger.email, stranger.email_confirmed_at) == ("", None)


def test_a_lead_may_copy_links_all_the_same(project: Project, lead: User, sign_in: SignIn) -> None:
    fields = {"guests": "ada@example.org", "role": "annotator", "days": "7"}
    page = sign_in(lead).post(f"/projects/{project.slug}/invite/", fields, follow=True)
    assert [guest for guest, _link in page.context["new_links"]] == ["ada@example.org"]
    assert Invitation.objects.get().address == ""


def test_a_mail_is_sent_again(project: Project, lead: User, sign_in: SignIn) -> None:
    fields = {"guests": "ada@example.org", "role": "annotator", "days": "7", "by_mail": "on"}
    browser = sign_in(lead)
    browser.post(f"/projects/{project.slug}/invite/", fields)
    (former,) = deliver()
    browser.post(f"/projects/{project.slug}/invitations/{Invitation.objects.get().pk}/send/")
    (latter,) = deliver()
    assert (Client().get(former).status_code, Client().get(latter).status_code) == (404, 200)


def test_more_mails_than_one_may_send_are_refused_and_nobody_is_invited(
    project: Project, lead: User, sign_in: SignIn, settings: Any
) -> None:
    settings.MAILS_PER_DAY = 1
    fields = {"guests": "a@example.org\nb@example.org", "role": "annotator", "days": "7", "by_mail": "on"}
    page = sign_in(lead).post(f"/projects/{project.slug}/invite/", fields)
    assert page.status_code == 422
    assert "1 mail sent a day" in page.content.decode()
    assert not Invitation.objects.exists()
