"""Nobody passes as a machine, in whatever letters."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client

from annotate.models import OpenSession, User
from annotate.models.accounts import MACHINE_NAMES
from annotate.services.demo import oracle
from annotate.services.imports import labels
from tests.conftest import PASSWORD

TAKEN = [
    "import",
    "Import",
    "ORACLE",
    "ｉｍｐｏｒｔ",
    "оracle",
    "orасlе",
    "oráclé",
    "0rac1e",
    "lmport",
    "oracIe",
]
FREE = ["important", "imports", "lena", "иван", "oracle2"]


def test_the_names_are_those_of_the_machines() -> None:
    assert set(MACHINE_NAMES) == {labels.MACHINE, oracle.ORACLE}


@pytest.mark.django_db
@pytest.mark.parametrize("name", TAKEN)
def test_no_account_of_a_person_gets(name: str, sign_in: Callable[[User], Client]) -> None:
    for make in (User.objects.create_user, User.objects.create_superuser):
        with pytest.raises(ValidationError, match="looks like the name of a machine"):
            make(name, password=PASSWORD)
    with pytest.raises(CommandError, match="looks like the name of a machine"):
        call_command("createsuperuser", "--noinput", username=name, email="a@example.org")
    client = sign_in(User.objects.create_superuser("root", password=PASSWORD))
    fields = {"username": name, "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert (
        "looks like the name of a machine"
        in client.post("/admin/annotate/user/add/", fields).content.decode()
    )
    assert list(User.objects.values_list("username", flat=True)) == ["root"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", FREE)
def test_a_person_may_be_called(name: str) -> None:
    User.objects.create_user(name, password=PASSWORD)


@pytest.mark.django_db
def test_the_machines_get_their_own_names() -> None:
    assert labels.machine_annotator().username == "import"
    assert labels.machine_annotator() == labels.machine_annotator()


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_a_session_is_called_as_its_owner_would(device: str, name: str) -> None:
    assert OpenSession(device=device).browser == name
