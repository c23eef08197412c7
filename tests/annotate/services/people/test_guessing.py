"""What happens to whoever guesses at passwords."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db.models import F
from django.test import Client

from annotate.models import User
from tests.conftest import PASSWORD

HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def _few(settings: Any) -> None:
    settings.AXES_FAILURE_LIMIT = 3


def knock(door: str, name: str, password: str = "wrong", address: str = HERE, **headers: str) -> Any:
    return Client().post(
        door, {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers or None
    )


def gets_in(door: str, name: str, address: str = HERE) -> bool:
    return bool(knock(door, name, PASSWORD, address).status_code == 302)


def wait(minutes: int) -> None:
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=minutes))


@pytest.fixture
def people(lead: User, annotator: User) -> None:
    User.objects.update(is_staff=True)


@pytest.mark.usefixtures("people")
def test_after_too_many_guesses_the_right_password_is_refused_with_a_sentence() -> None:
    assert [knock("/login/", "lena").status_code for _ in range(3)] == [200, 200, 429]
    refused = knock("/login/", "lena", PASSWORD)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) == 15 * 60
    assert "not even the right one" in refused.content.decode()
    assert "15 minutes" in refused.content.decode()


@pytest.mark.usefixtures("people")
def test_the_door_opens_again_and_guessing_on_does_not_keep_it_shut() -> None:
    for _ in range(3):
        knock("/login/", "lena")
    wait(14)
    assert knock("/login/", "lena").status_code == 429
    wait(2)
    assert gets_in("/login/", "lena")


@pytest.mark.usefixtures("people")
def test_a_right_password_forgives_the_wrong_ones_before_it() -> None:
    for _ in range(3):
        assert [knock("/login/", "lena").status_code for _ in range(2)] == [200, 200]
        assert gets_in("/login/", "lena")


@pytest.mark.usefixtures("people")
def test_a_colleague_at_the_same_address_and_the_owner_at_another_get_in() -> None:
    for _ in range(4):
        knock("/login/", "lena")
    assert gets_in("/login/", "anton")
    assert gets_in("/login/", "lena", THERE)
    assert not gets_in("/login/", "lena")


@pytest.mark.usefixtures("people")
def test_one_password_tried_on_many_names_shuts_the_address() -> None:
    statuses = [knock("/login/", f"name{number}").status_code for number in range(15)]
    assert statuses == [200] * 14 + [429]
    assert not gets_in("/login/", "anton")
    assert gets_in("/login/", "anton", THERE)


@pytest.mark.usefixtures("people")
def test_one_name_tried_from_many_addresses_shuts_the_account() -> None:
    statuses = [knock("/login/", "lena", address=f"198.51.100.{n}").status_code for n in range(30)]
    assert statuses == [200] * 29 + [429]
    assert not gets_in("/login/", "lena", THERE)
    assert gets_in("/login/", "anton", THERE)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("behind", "locked"), [(False, True), (True, False)])
def test_a_header_names_the_address_only_behind_a_proxy(behind: bool, locked: bool, settings: Any) -> None:
    settings.BEHIND_PROXY = behind
    for n in range(3):
        knock("/login/", "lena", **{"x-forwarded-for": f"198.51.100.{n}"})
    assert (knock("/login/", "lena", **{"x-forwarded-for": "203.0.113.9"}).status_code == 429) is locked


@pytest.mark.usefixtures("people")
def test_what_a_client_writes_into_the_header_itself_is_not_believed(settings: Any) -> None:
    settings.BEHIND_PROXY = True
    for n in range(3):
        knock("/login/", "lena", **{"x-forwarded-for": f"198.51.100.{n}, 203.0.113.9"})
    assert knock("/login/", "lena", **{"x-forwarded-for": "203.0.113.9"}).status_code == 429


@pytest.mark.usefixtures("people")
def test_nothing_that_was_typed_is_kept() -> None:
    knock("/login/", "lena", "a secret of somebody")
    attempt = AccessAttempt.objects.get()
    assert "secret" not in f"{attempt.post_data} {attempt.get_data}"


def test_a_neighbour_in_the_same_ipv6_network_is_the_same_address(lead: User) -> None:
    for n in range(3):
        knock("/login/", "lena", address=f"2001:db8::{n}")
    assert knock("/login/", "lena", address="2001:db8::ffff").status_code == 429
    assert knock("/login/", "lena", address="2001:db8:1::1").status_code == 200
