"""The containers' file names what exists; each service of it starts, answers and stops here as written.

PostgreSQL alone has no command in the file: a server of this machine takes its place, or SQLite.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from annotate.queues import QUEUES
from tests.deployment import compose
from tests.deployment.compose import ROOT, Host
from tests.test_docs import read_settings

GIVEN = {"SECRET_KEY": "k" * 50, "POSTGRES_PASSWORD": "letters1", "REDIS_PASSWORD": "letters2"}
WORKERS = list(QUEUES)
SITE = ["migrate", "web", *WORKERS, "beat"]
POSTGRES = "postgres://postgres@127.0.0.1:5432"
OTHERS_READ = {"OMP_NUM_THREADS"}  # the libraries of training, not our settings
PATIENCE = 60.0


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return compose.read(GIVEN)


def test_there_are_the_parts_of_the_architecture(written: dict[str, Any]) -> None:
    assert set(written["services"]) == {*SITE, "postgres", "redis"}


def test_each_queue_has_a_worker(written: dict[str, Any]) -> None:
    commands = [written["services"][name]["command"] for name in WORKERS]
    served = [command[command.index("--queues") + 1] for command in commands]
    assert sorted(served) == sorted(QUEUES)


@pytest.mark.parametrize("name", SITE)
def test_every_variable_is_one_that_the_settings_read(written: dict[str, Any], name: str) -> None:
    assert set(written["services"][name]["environment"]) - OTHERS_READ - set(read_settings()) == set()


@pytest.mark.parametrize("name", SITE)
def test_every_setting_can_be_given(written: dict[str, Any], name: str) -> None:
    image = set(compose.image_environ())
    never_in_public = {"DEBUG"}
    handed_on = set(written["services"][name]["environment"])
    assert set(read_settings()) - image - never_in_public - handed_on == set()


@pytest.mark.parametrize("missing", GIVEN)
def test_it_does_not_start_without_its_secrets(missing: str) -> None:
    with pytest.raises(KeyError, match=missing):
        compose.read({key: value for key, value in GIVEN.items() if key != missing})
    assert f"`{missing}`" in (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


def test_the_site_knows_the_back_ends_by_their_names_and_passwords(written: dict[str, Any]) -> None:
    environ = written["services"]["web"]["environment"]
    database, broker = urlsplit(environ["DATABASE_URL"]), urlsplit(environ["REDIS_URL"])
    made = written["services"]["postgres"]["environment"]
    assert (database.hostname, database.username, database.password, database.path) == (
        "postgres",
        made["POSTGRES_USER"],
        made["POSTGRES_PASSWORD"],
        f"/{made['POSTGRES_DB']}",
    )
    assert broker.hostname == "redis"
    assert broker.password in written["services"]["redis"]["command"]
    assert broker.password == written["services"]["redis"]["environment"]["REDISCLI_AUTH"]


def test_each_stage_is_in_the_dockerfile_and_only_workers_carry_what_trains(written: dict[str, Any]) -> None:
    stages = {name: base for base, name in compose.STAGE.findall(compose.dockerfile())}
    targets = {name: written["services"][name]["build"]["target"] for name in SITE}
    assert set(targets.values()) == set(stages)
    assert stages["worker"] == "web"
    assert {name for name, target in targets.items() if target == "worker"} == set(WORKERS)


def test_the_dockerfile_copies_what_exists_and_installs_an_extra_that_exists() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", compose.dockerfile(), re.MULTILINE)
    assert copied
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r'"\.\[(\w+)\]"', compose.dockerfile())
    assert named == ["parquet", "train"]
    assert set(named) <= set(extras)


def test_volumes_are_declared_and_the_site_keeps_its_state_in_one(written: dict[str, Any]) -> None:
    mounted = {
        name: dict(volume.split(":", 1) for volume in service["volumes"])
        for name, service in written["services"].items()
    }
    assert {volume for volumes in mounted.values() for volume in volumes} == set(written["volumes"])
    home = compose.image_environ()["WINNOW_HOME"]
    assert [mounted[name] for name in SITE] == [{"data": home}] * len(SITE)
    assert re.search(rf"install -d -o winnow {re.escape(home)}$", compose.dockerfile(), re.MULTILINE)


def test_what_is_waited_for_can_say_that_it_is_healthy(written: dict[str, Any]) -> None:
    services = written["services"]
    waits = [(on, how["condition"]) for name in SITE for on, how in services[name]["depends_on"].items()]
    assert ("migrate", "service_completed_successfully") in waits
    assert {on for on, how in waits if how == "service_healthy"} == {"postgres", "redis"}
    assert all("healthcheck" in services[on] for on, how in waits if how == "service_healthy")


def test_only_this_machine_reaches_the_site_and_nobody_the_back_ends(written: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in written["services"].items()}
    assert {name: ports for name, ports in published.items() if ports} == {"web": ["127.0.0.1:8000:8000"]}


def wait_for(what: str, is_so: Callable[[], bool], service: compose.Service) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert service.process.poll() is None, service.said()
        assert time.monotonic() < deadline, f"Waited in vain for {what}: {service.said()}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A new PostgreSQL database where a server answers on this machine, else a file of SQLite."""
    try:
        server = psycopg.connect(f"{POSTGRES}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError:
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/winnow.sqlite3"
        return
    name = f"winnow_compose_{compose.free_port()}"
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield f"{POSTGRES}/{name}"
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def ping(host: Host) -> bool:
    try:
        with broker(host) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def broker(host: Host) -> redis.Redis:
    return redis.Redis.from_url(host.environ("web")["REDIS_URL"])


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, Any], database_url: str
) -> Iterator[Host]:
    """The broker of the file runs by its own command, and the tables are made by the file's own `migrate`."""
    host = Host(tmp_path_factory.mktemp("home"), written, database_url)
    with host.started("redis") as service:
        wait_for("the broker", lambda: ping(host), service)
        done = host.run("migrate", host.command("migrate"))
        assert done.returncode == 0, done.stderr
        yield host


@pytest.mark.loop
def test_the_broker_asks_for_the_password(host: Host) -> None:
    with redis.Redis(port=host.ports["6379"]) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


@pytest.mark.loop
def test_migrate_makes_tables_and_static_files(host: Host) -> None:
    unapplied = [sys.executable, "manage.py", "migrate", "--check"]
    assert host.run("migrate", unapplied).returncode == 0
    assert (host.home / "static" / "staticfiles.json").exists()


@pytest.mark.loop
def test_web_is_healthy_by_its_own_check_and_stops(host: Host) -> None:
    check = host.healthcheck("web")
    assert host.run("web", check).returncode != 0
    with host.started("web") as service:
        wait_for("the site", lambda: host.run("web", check).returncode == 0, service)
        assert service.stop() == 0, service.said()
        assert service.leaves_nothing()


@pytest.mark.loop
def test_the_check_of_web_knows_no_public_name_and_sees_a_database_that_is_gone(tmp_path: Path) -> None:
    written = compose.read(GIVEN | {"ALLOWED_HOSTS": "winnow.example", "WINNOW_HTTPS": "1"})
    for url, is_healthy in (("sqlite:////no/such/folder/db", False), (f"sqlite:///{tmp_path}/db", True)):
        host = Host(tmp_path, written, url)
        check = host.healthcheck("web")
        if is_healthy:
            host.run("migrate", [sys.executable, "manage.py", "migrate", "--no-input"])
        with host.started("web") as service:
            wait_for("the port", lambda host=host: listens(host.ports["8000"]), service)  # type: ignore[misc]
            assert (host.run("web", check).returncode == 0) == is_healthy, service.said()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.loop
@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_takes_its_queue_and_stops(host: Host, name: str) -> None:
    ask = [sys.executable, "-m", "celery", "--app", "annotate", "inspect", "active_queues", "--json"]

    def consumes() -> bool:
        answer = host.run(name, ask)
        if answer.returncode:
            return False
        return [q["name"] for queues in json.loads(answer.stdout).values() for q in queues] == [name]

    with host.started(name) as service:
        wait_for(f"the queue {name}", consumes, service)
        assert service.stop() == 0, service.said()
        assert service.leaves_nothing()


@pytest.mark.loop
def test_beat_sends_the_tick_and_stops(host: Host) -> None:
    with broker(host) as client:
        client.delete("interactive")
        with host.started("beat") as service:
            wait_for("a tick", lambda: client.llen("interactive") > 0, service)
            assert b"annotate.tasks.tick" in client.lindex("interactive", 0)
            assert service.stop() == 0, service.said()
            assert service.leaves_nothing()


def test_the_test_of_a_start_sees_a_service_that_does_not(written: dict[str, Any], tmp_path: Path) -> None:
    broken = json.loads(json.dumps(written))
    broken["services"]["web"]["command"][1] = "annotate.nothing"
    host = Host(tmp_path, broken, f"sqlite:///{tmp_path}/none.sqlite3")
    with host.started("web") as service, pytest.raises(AssertionError, match="annotate.nothing"):
        wait_for("the site", lambda: False, service)
