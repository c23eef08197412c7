"""Inviting by a link: who may, what it opens, and that it lets exactly one person in."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from annotate.forms.people import JoinForm
from annotate.models import Event, Invitation, Membership, Project, User
from annotate.models.members import Role
from annotate.outages.log import FaultHandler
from annotate.services.people import invitations
from annotate.services.projects import members
from annotate.services.projects.refused import Refused

pytestmark = pytest.mark.one_database

SignIn = Callable[[User], Client]
NEW = {"username": "ada", "password1": "a long enough sentence", "password2": "a long enough sentence"}


def invite(client: Client, project: Project, guests: str) -> list[str]:
    """Invite, and return the paths of the links as the page shows them."""
    fields = {"guests": guests, "role": "annotator", "days": "7"}
    page = client.post(f"/projects/{project.slug}/invite/", fields, follow=True).content.decode()
    return re.findall(r"http://testserver(/invitations/[^<]+/)</code>", page)


@pytest.fixture
def link(project: Project, lead: User) -> str:
    ((_invitation, token),) = invitations.issue(
        project=project, by=lead, role=Role.ANNOTATOR, guests=["Ada"], days=7
    )
    return f"/invitations/{token}/"


def test_links_are_shown_once_each_with_whom_it_is_for(project: Project, lead: User, sign_in: SignIn) -> None:
    browser = sign_in(lead)
    links = invite(browser, project, "Ada\n\n  Борис <b@example.com>\nAda\n")
    assert len(set(links)) == 2
    assert [row.guest for row in Invitation.objects.order_by("pk")] == ["Ada", "Борис <b@example.com>"]
    page = browser.get(f"/projects/{project.slug}/members/").content.decode()
    assert not any(link in page for link in links)
    assert "Борис &lt;b@example.com&gt;" in page
    assert not any(row.digest in link for row in Invitation.objects.all() for link in links)
    assert Event.objects.filter(kind="invited", by=lead, subject="Ada").count() == 1
    assert all(Client().get(link).status_code == 200 for link in links)
    assert (
        "Send the links" not in sign_in(lead).get(f"/projects/{project.slug}/members/").content.decode()
    )  # where no mail is sent


def test_a_guest_makes_an_account_and_labels(project: Project, link: str, client: Client) -> None:
    page = client.get(link)
    assert page.status_code == 200
    assert project.name in page.content.decode()
    done = client.post(link, NEW, follow=True)
    assert done.redirect_chain[-1][0] == f"/projects/{project.slug}/label/"
    assert Membership.objects.get(user__username="ada").role == Role.ANNOTATOR
    event = Event.objects.get(kind="invitation-accepted")
    assert (event.by_name, event.subject, event.project_id) == ("ada", "Ada", project.pk)
    entered = Client().post("/login/", {"username": "ada", "password": NEW["password1"]})
    assert entered.status_code == 302
    assert Client().get(link).status_code == 404


def test_a_guest_who_is_to_lead_comes_to_the_overview(project: Project, lead: User, client: Client) -> None:
    ((_row, token),) = invitations.issue(project=project, by=lead, role=Role.LEAD, guests=["Ada"], days=1)
    assert client.post(f"/invitations/{token}/", NEW)["Location"] == f"/projects/{project.slug}/"
    assert client.get(f"/projects/{project.slug}/").status_code == 200


def test_somebody_with_an_account_comes_in_with_that(
    project: Project, link: str, stranger: User, sign_in: SignIn
) -> None:
    browser = sign_in(stranger)
    assert "You are logged in as stefan" in browser.get(link).content.decode()
    assert not project.memberships.filter(user=stranger).exists()
    browser.post(link)
    assert project.memberships.get(user=stranger).role == Role.ANNOTATOR
    assert Invitation.objects.get().used_by == stranger


def test_a_member_does_not_use_it_up(link: str, annotator: User, sign_in: SignIn) -> None:
    browser = sign_in(annotator)
    assert "are a member of this project already" in browser.get(link).content.decode()
    page = browser.post(link, follow=True).content.decode()
    assert "is a member of this project already" in page
    assert Client().get(link).status_code == 200


def test_a_link_lets_in_one_person_and_the_other_leaves_no_account(
    link: str, stranger: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Invitation.objects.get()
    invitations.accept(invitation=found, user=stranger)
    # As it is where both had opened the link before either sent the form.
    monkeypatch.setattr(invitations, "find", lambda token: found)
    answer = Client().post(link, NEW)
    assert answer.status_code == 422
    assert "used or taken back" in answer.content.decode()
    assert not User.objects.filter(username="ada").exists()


@pytest.mark.parametrize(
    "end",
    [
        lambda row: Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        lambda row: invitations.revoke(project=row.project, pk=row.pk, by=row.invited_by),
        lambda row: User.objects.filter(pk=row.invited_by_id).update(is_active=False),
        lambda row: Membership.objects.filter(user=row.invited_by_id).update(role=Role.ANNOTATOR),
    ],
    ids=["ran out", "taken back", "its lead is disabled", "its lead leads no more"],
)
def test_a_link_that_has_ended_opens_nothing_and_says_no_more_than_a_wrong_one(
    end: Callable[[Invitation], object], link: str, stranger: User, sign_in: SignIn
) -> None:
    end(Invitation.objects.get())
    for browser in (Client(), sign_in(stranger)):
        for answer in (browser.get(link), browser.post(link, NEW)):
            assert answer.status_code == 404
    assert Client().get(link).content == Client().get("/invitations/wrong/").content
    with pytest.raises(Refused):
        invitations.accept(invitation=Invitation.objects.get(), user=stranger)
    assert not User.objects.filter(username="ada").exists()
    assert not Membership.objects.filter(user=stranger).exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"username": "Lena"}, "is taken, or looks like one that is"),
        ({"username": "l\u0435na"}, "is taken, or looks like one that is"),  # with a Cyrillic letter
        ({"username": "import"}, "looks like the name of a machine"),
        ({"password1": "123", "password2": "123"}, "too short"),
        ({"password2": "another long sentence"}, "The two password fields"),
    ],
)
def test_a_form_that_cannot_be_taken_says_why_and_keeps_the_name(
    changes: dict[str, str], sentence: str, link: str, client: Client
) -> None:
    answer = client.post(link, NEW | changes)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert sentence in page
    assert f'value="{(NEW | changes)["username"]}"' in page
    assert User.objects.filter(is_machine=False).count() == 2
    assert client.get(link).status_code == 200


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"guests": " \n\u200b\n"}, "can be seen"),
        ({"guests": "\n".join(map(str, range(51)))}, "invite at most 50"),
        ({"guests": "x" * 201}, "longer than the 200 characters"),
        ({"role": "owner"}, "not one of the available choices"),
        ({"days": "365"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_invited_is_said_and_nothing_is_made(
    fields: dict[str, str], sentence: str, project: Project, lead: User, sign_in: SignIn
) -> None:
    sent = {"guests": "Ada", "role": "annotator", "days": "7", **fields}
    answer = sign_in(lead).post(f"/projects/{project.slug}/invite/", sent)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Invitation.objects.exists()


def test_taking_back_is_told_once(project: Project, link: str, lead: User, sign_in: SignIn) -> None:
    address = f"/projects/{project.slug}/invitations/{Invitation.objects.get().pk}/revoke/"
    browser = sign_in(lead)
    assert "its link lets nobody in" in browser.post(address, follow=True).content.decode()
    assert "already" in browser.post(address, follow=True).content.decode()
    assert Event.objects.filter(kind="invitation-revoked", by=lead, subject="Ada").count() == 1


def test_an_invitation_of_another_project_is_not_taken_back(
    link: str, make_project: Callable[..., Project], lead: User, sign_in: SignIn
) -> None:
    other = make_project(slug="shapes", labels=())
    row = Invitation.objects.get()
    sign_in(lead).post(f"/projects/{other.slug}/invitations/{row.pk}/revoke/")
    assert Client().get(link).status_code == 200


def test_a_removed_member_may_be_invited_again(project: Project, link: str, annotator: User) -> None:
    members.remove_member(membership=project.memberships.get(user=annotator))
    invitations.accept(invitation=Invitation.objects.get(), user=annotator)
    assert project.memberships.filter(user=annotator).exists()


def test_the_token_stays_out_of_the_log_and_of_the_addresses_that_other_pages_get(
    link: str, client: Client
) -> None:
    token = link.split("/")[2]
    logger = logging.getLogger("django.request")
    handler = FaultHandler()
    handler.stream = io.StringIO()
    logger.addHandler(handler)
    try:
        answer = client.post(link, NEW | {"password1": "1"})
    finally:
        logger.removeHandler(handler)
    assert answer.status_code == 422
    assert answer["Referrer-Policy"] == "strict-origin"
    written = handler.stream.getvalue()
    assert "/invitations/…" in written
    assert token not in written


def test_two_who_choose_one_name_in_the_same_moment(
    link: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: object, **__: object) -> None:
        raise IntegrityError

    monkeypatch.setattr(JoinForm, "save", taken)
    answer = client.post(link, NEW)
    assert answer.status_code == 422
    assert "taken just now" in answer.content.decode()
    monkeypatch.undo()
    assert client.post(link, NEW).status_code == 302
