"""What tells a machine whether the site lives and can serve, and a person that the database is away."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views.defaults import server_error

from annotate.celery import app
from annotate.outages import database
from annotate.outages.breaker import REDIS
from annotate.services.pages import status_line
from annotate.services.pages.status_line import silent_queues
from annotate.services.versions import publication

LIVES, SERVES = "/healthz", "/readyz"
PROBE_BYTES = 65_536  # more than the last block of a file that was there already
RETRY_SECONDS = 5


def answer_probes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer probes before anything looks at their host: they name a container by its address, over HTTP."""
    answers = {LIVES: healthz, SERVES: readyz}

    def middleware(request: HttpRequest) -> HttpResponse:
        answer = answers.get(request.path_info)
        return answer() if answer else get_response(request)

    return middleware


def healthz() -> HttpResponse:
    """Answer 200 while this process answers anything: to start it anew would mend nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz() -> HttpResponse:
    """Tell what fails, by name alone, and answer 503 where people can neither log in nor keep an answer.

    Without a broker or workers people go on to label and programs to predict, and without the bundle of a
    published version an earlier one answers; the same holds for a home that cannot be written to, unless the
    database lies in it.
    """
    failing = [] if _database_answers() else ["database"]
    if not failing and not _is_migrated():
        failing.append("migrations")
    if not _home_takes_files():
        failing.append("home")
    if not _broker_answers():
        failing.append("broker")
    if "database" not in failing and "migrations" not in failing:
        failing += [f"worker of {queue}" for queue in silent_queues()]
        failing += [] if status_line.beat_lives() else ["beat"]
        failing += [] if publication.bundles_are_there() else ["published bundle"]
    needed = {"database", "migrations"} | ({"home"} if connection.vendor == "sqlite" else set())
    is_ready = needed.isdisjoint(failing)
    status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ready": is_ready, "failing": failing}, status=status)


def failed(request: HttpRequest) -> HttpResponse:
    """Show the page of an error that nothing caught, while it is handled; an outage is a 503 and passes."""
    error = sys.exception()
    if error is None or not database.is_away(error):
        return server_error(request)
    page = loader.get_template("503.html").render()
    return HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": RETRY_SECONDS})


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


def _is_migrated() -> bool:
    """Once all is migrated it stays so for as long as this process runs the same code."""
    try:
        return _all_migrated()
    except (_Waiting, Error):
        return False


class _Waiting(Exception):
    """A migration is not done. Raised, as only what is returned is remembered."""


@cache
def _all_migrated() -> bool:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise _Waiting
    return True


def _home_takes_files() -> bool:
    try:
        with tempfile.TemporaryFile(dir=settings.HOME) as file:
            file.write(b"\0" * PROBE_BYTES)
            file.flush()
    except OSError:
        return False
    return True


def _broker_answers() -> bool:
    def ask() -> bool:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
        return True

    return REDIS.attempt(ask, otherwise=False)
