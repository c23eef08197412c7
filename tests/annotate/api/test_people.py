"""Members, invitations and events of a project over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.test import Client

from annotate.models import Document, Event, Invitation, Mail, Membership, Project, User
from annotate.models.members import Role

Api = Callable[..., Client]
ROOT = "/api/v1/projects/colours"
JSON = "application/json"


def test_a_member_is_added_changed_and_removed(
    project: Project, lead: User, stranger: User, api: Api
) -> None:
    client = api(lead)
    added = client.post(f"{ROOT}/members", {"username": "stefan"}, content_type=JSON)
    assert (added.status_code, added.json()["role"]) == (201, "annotator")
    where = f"{ROOT}/members/{added.json()['id']}"
    changed = client.patch(where, {"role": "reviewer"}, content_type=JSON)
    assert (changed.status_code, changed.json()["role"]) == (200, "reviewer")
    listed = client.get(f"{ROOT}/members").json()["results"]
    assert {row["username"]: row["role"] for row in listed} == {
        "lena": "lead",
        "anton": "annotator",
        "stefan": "reviewer",
    }
    assert client.delete(where).status_code == 204
    assert client.delete(where).status_code == 404
    assert not Membership.objects.filter(user=stranger).exists()
    assert project.removed_members.restorable().get().role == Role.REVIEWER
    kinds = list(Event.objects.filter(project_id=project.pk).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["member-added", "role-changed", "member-removed"]


def test_what_the_site_refuses_is_refused_with_its_sentence(project: Project, lead: User, api: Api) -> None:
    client, own = api(lead), project.memberships.get(user=lead)
    again = client.post(f"{ROOT}/members", {"username": "anton"}, content_type=JSON)
    alone = client.delete(f"{ROOT}/members/{own.pk}")
    down = client.patch(f"{ROOT}/members/{own.pk}", {"role": "reviewer"}, content_type=JSON)
    unknown = client.post(f"{ROOT}/members", {"username": "nobody"}, content_type=JSON)
    assert [answer.status_code for answer in (again, alone, down, unknown)] == [409, 409, 409, 409]
    assert "is a member of this project already" in again.json()["detail"]
    assert "only lead" in alone.json()["detail"]
    assert project.memberships.get(user=lead).role == Role.LEAD


def test_an_invitation_tells_its_link_once_and_is_taken_back(project: Project, lead: User, api: Api) -> None:
    client = api(lead)
    asked = {"guests": ["Ada", "Bo"], "role": "reviewer", "days": 1}
    made = client.post(f"{ROOT}/invitations", asked, content_type=JSON)
    assert made.status_code == 201
    (ada, bo) = made.json()
    assert (ada["guest"], ada["role"], ada["invited_by"]) == ("Ada", "reviewer", "lena")
    assert Client().get(ada["link"]).status_code == 200
    listed = client.get(f"{ROOT}/invitations").json()["results"]
    assert [row["guest"] for row in listed] == ["Ada", "Bo"]
    assert all("link" not in row for row in listed)
    assert client.delete(f"{ROOT}/invitations/{ada['id']}").status_code == 204
    assert client.delete(f"{ROOT}/invitations/{ada['id']}").status_code == 404
    assert Client().get(ada["link"]).status_code == 404
    assert Client().get(bo["link"]).status_code == 200


def test_a_link_that_is_sent_by_mail_is_told_to_nobody(
    project: Project, lead: User, api: Api, settings: Any
) -> None:
    asked = {"guests": ["Ada <ada@example.org>", "Bo"], "by_mail": True}
    assert api(lead).post(f"{ROOT}/invitations", asked, content_type=JSON).json()["code"] == "no_mail"
    settings.EMAIL_HOST = "mail.example.org"
    ada, bo = api(lead).post(f"{ROOT}/invitations", asked, content_type=JSON).json()
    assert (ada["link"], "/invitations/" in bo["link"]) == (None, True)
    assert Mail.objects.get().to == "ada@example.org"
    settings.MAILS_PER_DAY = 1
    assert api(lead).post(f"{ROOT}/invitations", asked, content_type=JSON).status_code == 409
    assert Invitation.objects.count() == 2


def test_a_wrong_invitation_makes_none(project: Project, lead: User, api: Api) -> None:
    for asked in (
        {"guests": []},
        {"guests": ["Ada"] * 51},
        {"guests": ["Ada"], "days": 365},
        {"guests": [""]},
    ):
        assert api(lead).post(f"{ROOT}/invitations", asked, content_type=JSON).status_code == 400
    assert not Invitation.objects.exists()


def test_events_are_told_from_the_oldest_on_and_by_kind_and_document(
    project: Project, reviewer: User, add_documents: Callable[..., list[Document]], api: Api
) -> None:
    first, second = add_documents(project, "one", "two")
    client = api(reviewer)
    for document in (first, second):
        client.post(f"{ROOT}/documents/{document.pk}/comments", {"text": "look"}, content_type=JSON)
    found = client.get(f"{ROOT}/events").json()["results"]
    assert [(row["kind"], row["document"], row["by"]) for row in found] == [
        ("commented", first.pk, "rita"),
        ("commented", second.pk, "rita"),
    ]
    assert "rita" in found[0]["sentence"]
    assert "look" not in str(found)
    of_second = client.get(f"{ROOT}/events?document={second.pk}").json()["results"]
    assert [row["document"] for row in of_second] == [second.pk]
    assert client.get(f"{ROOT}/events?kind=invited").json()["results"] == []
    assert client.get(f"{ROOT}/events?kind=nonsense").status_code == 400
    assert client.get(f"{ROOT}/events?document=first").status_code == 400
