"""The probe's answer says whether the database is there, whatever host and scheme the probe came by."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client


class Gone:
    def __enter__(self) -> None:
        raise OperationalError("the database is gone")

    def __exit__(self, *error: object) -> None:
        raise AssertionError("nothing was opened")


@pytest.fixture(autouse=True)
def behind_a_proxy(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["winnow.example"]
    settings.SECURE_SSL_REDIRECT = True


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["winnow.example", "127.0.0.1:8000", "10.0.0.7"])
def test_a_probe_is_answered_by_whatever_name_it_calls(host: str) -> None:
    answer = Client().get("/healthz", headers={"Host": host})
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_probe_learns_that_the_database_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "cursor", Gone)
    answer = Client(raise_request_exception=False).get("/healthz", headers={"Host": "127.0.0.1"})
    assert answer.status_code == 500


def test_no_other_page_is_shown_to_a_host_that_is_not_allowed() -> None:
    assert Client().get("/login/", headers={"Host": "10.0.0.7"}).status_code == 400
