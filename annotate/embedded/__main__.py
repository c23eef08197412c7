"""The supervisor of one embedded site, until a signal ends it; `manage.py up` becomes this program."""

from __future__ import annotations

import argparse
import gc
import http.client
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import django
import redis

from annotate import environment
from annotate.embedded import child, preparation, programs
from annotate.embedded.supervisor import Supervisor
from annotate.outages.console import Console

PATIENCE = 60.0
# What the programs import at their start, or soon after it.
SHARED = (
    "annotate.tasks", "annotate.wsgi", "annotate.urls", "celery.apps.beat", "celery.apps.worker",
    "celery.bin.celery", "celery.concurrency.prefork", "celery.events.receiver", "celery.worker.autoscale",
    "celery.worker.consumer", "celery.worker.strategy", "gunicorn.app.wsgiapp", "gunicorn.workers.gthread",
    "kombu.transport.redis",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="annotate.embedded")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--greeting", required=True, type=int, help="a pipe to read it from")
    parser.add_argument("--beside", nargs=argparse.REMAINDER, default=[], help="a command to run beside it")
    options = parser.parse_args()
    with os.fdopen(options.greeting, encoding="utf-8") as pipe:
        greeting = pipe.read()
    environment.open_standard_streams()
    environment.keep_files_private()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotate.settings")
    django.setup()
    if child.FORKS:
        _load_what_is_shared()
    try:
        if not _supervise(options.host, options.port, greeting, options.beside):
            sys.exit("The site stopped because a program that it needs does not stay up.")
    except preparation.NotStarted as error:
        sys.exit(str(error))


def _load_what_is_shared() -> None:
    """Import it here, where a fork finds it; the garbage collector then leaves those pages alone."""
    for name in SHARED:
        import_module(name)
    gc.collect()
    gc.freeze()


def _supervise(host: str, port: int, greeting: str, beside: Sequence[str]) -> bool:
    from django.conf import settings

    url = programs.url_of(host, port)
    write = Console(sys.stdout)
    supervisor = Supervisor(write)
    supervisor.stop_on_signals()
    try:
        for program in programs.site(settings.HOME, host, port):
            supervisor.start(program)
            if program.name == "broker":
                _wait(supervisor, "The broker", lambda: _broker_answers(settings.HOME))
        _wait(supervisor, "The site", lambda: _web_answers(url))
        supervisor.persists = True
        if not supervisor.stopping:
            write(f"\nWinnow answers at {url} and stops with Ctrl-C.{greeting}\n")
            if beside:
                supervisor.start(programs.command(beside))
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


if __name__ == "__main__":
    main()
