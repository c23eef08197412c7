from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.http import HttpRequest, HttpResponse

PATH = "/healthz"


def answer_probes(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Answer probes before anything looks at their host: they name a container by its address, over HTTP."""

    def middleware(request: HttpRequest) -> HttpResponse:
        return healthz() if request.path_info == PATH else get_response(request)

    return middleware


def healthz() -> HttpResponse:
    """Answer 200 while this process can reach the database; an error is a 500 like any other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse("ok\n", content_type="text/plain")
