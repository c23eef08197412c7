"""What happens at the doors is one line each, with who and where, and nothing that can be forged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotate import security_log
from annotate.models import ApiKey, Membership, Project, User
from annotate.services.people import api_keys
from tests.conftest import PASSWORD

Lines = Callable[[], list[str]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    caplog.set_level(logging.INFO, "winnow.security")
    return lambda: [entry.getMessage() for entry in caplog.records if entry.name == "winnow.security"]


def only(lines: Lines, event: str) -> str:
    (found,) = [line for line in lines() if line.startswith(f"{event} ")]
    return found


def test_logins_refusals_and_logouts_are_told(lead: User, client: Client, lines: Lines) -> None:
    client.post("/login/", {"username": "lena", "password": "not this"})
    client.post("/login/", {"username": "lena", "password": PASSWORD})
    client.post("/logout/")
    where = 'user="lena" address="127.0.0.1"'
    assert [line for line in lines() if " user=" in line][-3:] == [
        f"login-refused {where}",
        f"login {where}",
        f"logout {where}",
    ]
    assert PASSWORD not in str(lines())
    assert "not this" not in str(lines())


def test_a_locked_door_is_told_apart(lead: User, client: Client, lines: Lines, settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 1
    for _ in range(2):
        client.post("/login/", {"username": "lena", "password": "not this"})
    assert only(lines, "login-locked") == 'login-locked user="lena" address="127.0.0.1"'


@pytest.mark.parametrize(
    "name",
    ["x\nlogin user=root", "x\r\n", "x\x1b[2K", 'x" address="1', "x\u202egnp", "x\u2028y", "x\x85", "\ud800"],
)
def test_no_value_ends_its_line_or_its_quotes(name: str, lines: Lines) -> None:
    security_log.record("login-refused", user=name, address="192.0.2.1")
    line = only(lines, "login-refused")
    assert all(letter.isprintable() for letter in line)
    assert line.replace('\\"', "").count('"') == 4


def test_a_long_value_is_cut(lines: Lines) -> None:
    security_log.record("login-refused", user="x" * 10_000)
    assert len(only(lines, "login-refused")) < 200


def test_keys_are_told_by_their_beginning(lead: User, lines: Lines) -> None:
    key, secret = api_keys.issue(user=lead, name="robot", scopes=["predict"])
    api_keys.revoke(user=lead, pk=key.pk)
    Client().get("/api/v1/projects", headers={"authorization": f"Bearer {secret}"})
    Client().get("/api/v1/projects", headers={"authorization": "Bearer hunter2"})
    assert only(lines, "key-made") == f'key-made user="lena" key="{key.prefix}" scopes="predict"'
    assert only(lines, "key-ended") == f'key-ended user="lena" key="{key.prefix}" by="lena"'
    refused = [line for line in lines() if line.startswith("token-refused")]
    assert f'begins_with="winnow_{key.prefix}" address="127.0.0.1"' in refused[0]
    assert 'begins_with=""' in refused[1]
    assert secret.removeprefix(f"winnow_{key.prefix}_") not in str(lines())


def test_memberships_and_roles_are_told(
    project: Project, lead: User, stranger: User, sign_in: Callable[[User], Client], lines: Lines
) -> None:
    client = sign_in(lead)
    client.post(reverse("project-members", args=[project.slug]), {"username": "stefan", "role": "annotator"})
    member = reverse("project-member", args=[project.slug, Membership.objects.get(user=stranger).pk])
    client.post(member, {"role": "lead"})
    membership = Membership.objects.get(user=stranger)
    client.post(reverse("member-remove", args=[project.slug, membership.pk]))
    for event, role in (("member-added", "annotator"), ("role-changed", "lead"), ("member-removed", "lead")):
        assert only(lines, event) == f'{event} user="stefan" project="colours" role="{role}" by="lena"'


def test_what_an_administrator_does_to_accounts_and_keys_is_told(
    lead: User, annotator: User, sign_in: Callable[[User], Client], lines: Lines
) -> None:
    lead.is_staff = lead.is_superuser = True
    lead.save()
    client = sign_in(lead)
    fields = {"username": "nora", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    client.post("/admin/annotate/user/add/", fields)
    assert 'user="nora"' in only(lines, "account-made")
    key, _secret = api_keys.issue(user=annotator, name="robot", scopes=["predict"])
    client.post("/admin/annotate/apikey/", {"action": "end", "_selected_action": [key.pk]}, follow=True)
    assert only(lines, "key-ended") == f'key-ended user="anton" key="{key.prefix}" by="lena"'
    assert ApiKey.objects.get().revoked_at is not None


def test_an_administrator_ends_all_keys_of_an_account(
    lead: User, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    User.objects.filter(pk=lead.pk).update(is_staff=True, is_superuser=True)
    for user in (lead, annotator, annotator):
        api_keys.issue(user=user, name="robot", scopes=["predict"])
    chosen = {"action": "end_keys", "_selected_action": [annotator.pk]}
    sign_in(lead).post("/admin/annotate/user/", chosen)
    assert set(ApiKey.objects.filter(revoked_at=None).values_list("user", flat=True)) == {lead.pk}


def test_an_administrator_of_less_rank_ends_no_keys(
    lead: User, annotator: User, sign_in: Callable[[User], Client]
) -> None:
    User.objects.filter(pk=lead.pk).update(is_staff=True)
    key, _secret = api_keys.issue(user=annotator, name="robot", scopes=["predict"])
    sign_in(lead).post("/admin/annotate/apikey/", {"action": "end", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is None
