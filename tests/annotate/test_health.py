"""What probes learn of the site, and what people and programs are told while the database is away."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, connection
from django.test import Client
from django.utils import timezone

from annotate.models import Project, WorkerPulse
from annotate.pulse import record, record_tick
from annotate.queues import QUEUES, TICK
from annotate.views import health
from tests.annotate.made.bundles import add_version
from training.bundles.bundle import MANIFEST


class Gone:
    """A cursor of a database that is away."""

    def __enter__(self) -> None:
        raise InterfaceError("the connection is closed")

    def __exit__(self, *error: object) -> None:
        raise AssertionError("nothing was opened")

    def execute(self, *arguments: object) -> None:
        raise InterfaceError("the connection is closed")

    def close(self) -> None:
        pass


@pytest.fixture
def behind_a_proxy(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["winnow.example"]
    settings.SECURE_SSL_REDIRECT = True


@pytest.fixture(autouse=True)
def broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_answers", lambda: True)


def readiness() -> tuple[int, bool, list[str]]:
    answer = Client(raise_request_exception=False).get("/readyz", headers={"Host": "127.0.0.1"})
    found = answer.json()
    return answer.status_code, found["ready"], found["failing"]


@pytest.mark.parametrize("host", ["winnow.example", "127.0.0.1:8000", "10.0.0.7"])
def test_a_probe_is_answered_by_whatever_name_it_calls(host: str, behind_a_proxy: None) -> None:
    answer = Client().get("/healthz", headers={"Host": host})
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_no_other_page_is_shown_to_a_host_that_is_not_allowed(behind_a_proxy: None) -> None:
    assert Client().get("/login/", headers={"Host": "10.0.0.7"}).status_code == 400


@pytest.mark.django_db
def test_a_site_with_all_its_parts_is_ready() -> None:
    record(list(QUEUES))
    record_tick()
    assert readiness() == (200, True, [])


@pytest.mark.django_db
def test_a_schedule_that_nobody_keeps_is_named() -> None:
    record(list(QUEUES))
    assert readiness() == (200, True, ["beat"])
    record_tick()
    WorkerPulse.objects.filter(queue=TICK).update(seen_at=timezone.now() - timedelta(minutes=3))
    assert readiness() == (200, True, ["beat"])


@pytest.mark.django_db
def test_a_published_bundle_that_is_gone_is_named(project: Project, tmp_path: Path, settings: Any) -> None:
    settings.BUNDLE_ROOT = tmp_path
    record(list(QUEUES))
    record_tick()
    version = add_version(project, tmp_path)
    assert readiness() == (200, True, [])
    (version.bundle_folder / MANIFEST).write_text("{}")
    type(version).objects.filter(pk=version.pk).update(bundle_digest="0" * 64)
    assert readiness() == (200, True, ["published bundle"])
    (version.bundle_folder / MANIFEST).unlink()
    assert readiness() == (200, True, ["published bundle"])


def test_without_its_database_the_site_lives_and_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "cursor", Gone)
    assert Client().get("/healthz").status_code == 200
    assert readiness() == (503, False, ["database"])


@pytest.mark.django_db
def test_before_its_migrations_the_site_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    record(list(QUEUES))
    record_tick()
    health._all_migrated.cache_clear()
    monkeypatch.setattr(health.MigrationExecutor, "migration_plan", lambda *_: ["one that waits"])
    assert readiness() == (503, False, ["migrations"])
    monkeypatch.undo()
    monkeypatch.setattr(health, "_broker_answers", lambda: True)
    assert readiness() == (200, True, [])  # what is not done yet is looked at again


@pytest.mark.django_db
@pytest.mark.parametrize(("vendor", "status"), [("sqlite", 503), ("postgresql", 200)])
def test_a_full_disk_is_named_and_matters_where_the_database_lies_on_it(
    vendor: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    record(list(QUEUES))
    record_tick()
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setattr(connection, "vendor", vendor)
    assert readiness() == (status, status == 200, ["home"])


@pytest.mark.django_db
def test_without_a_broker_or_a_worker_people_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    record(list(QUEUES))
    record_tick()
    WorkerPulse.objects.filter(queue="training").delete()
    monkeypatch.setattr(health, "_broker_answers", lambda: False)
    assert readiness() == (200, True, ["broker", "worker of training"])


def test_people_are_told_that_the_database_is_away_and_when_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "cursor", Gone)
    client = Client(raise_request_exception=False)
    answer = client.post("/login/", {"username": "ada", "password": "a long password"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database is away for a moment" in answer.content.decode()


def test_programs_are_told_that_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "cursor", Gone)
    client = Client(raise_request_exception=False)
    answer = client.get("/api/v1/projects", headers={"Authorization": "Bearer abcdefgh.something"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json()["code"] == "unavailable"


def test_another_error_is_still_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Gone):
        def execute(self, *arguments: object) -> None:
            raise RuntimeError("a fault of ours")

    monkeypatch.setattr(connection, "cursor", Broken)
    answer = Client(raise_request_exception=False).post("/login/", {"username": "a", "password": "b"})
    assert answer.status_code == 500
