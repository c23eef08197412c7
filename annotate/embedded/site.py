"""One embedded site, from its start until a signal ends it."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from pathlib import Path

import redis

from annotate import environment
from annotate.embedded import claims, preparation, programs
from annotate.embedded.supervisor import Supervisor

PATIENCE = 60.0
Write = Callable[[str], object]


def run(home: Path, host: str, port: int, *, write: Write, prepare: Callable[[], str]) -> bool:
    """Run until a signal; print what `prepare` returns once the site answers. False if a program failed."""
    preparation.close_to_others(home)
    lock = claims.FolderLock(home, url=url_of(host, port))
    try:
        claims.check_port(host, port)
        preparation.migrate()
        preparation.collect_static()
        return _supervise(home, host, port, write, prepare())
    finally:
        lock.close()


def url_of(host: str, port: int) -> str:
    shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else programs.bracketed(host)
    return f"http://{shown}:{port}/"


def _supervise(home: Path, host: str, port: int, write: Write, greeting: str) -> bool:
    url = url_of(host, port)
    supervisor = Supervisor(write)
    supervisor.stop_on_signals()
    try:
        for program in programs.site(home, host, port):
            supervisor.start(program)
            if program.name == "broker":
                _wait(supervisor, "The broker", lambda: _broker_answers(home))
        _wait(supervisor, "The site", lambda: _web_answers(url))
        if not supervisor.stopping:
            write(f"\nWinnow answers at {url} and stops with Ctrl-C.{greeting}\n")
        supervisor.run_until(lambda: False)
    finally:
        supervisor.stop()
    return not supervisor.failed


def _wait(supervisor: Supervisor, what: str, answers: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    supervisor.run_until(lambda: answers() or time.monotonic() > deadline)
    if time.monotonic() > deadline:
        raise preparation.NotStarted(
            f"{what} did not answer within {PATIENCE:g} seconds; its lines above say why."
        )


def _broker_answers(home: Path) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(environment.embedded_socket(home)), socket_timeout=1) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def _web_answers(url: str) -> bool:
    place = url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
