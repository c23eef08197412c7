"""Reports to programs elsewhere are off by themselves, and when on hold no text of a person."""

from __future__ import annotations

import gzip
import subprocess
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from annotate import telemetry

TEXT = "my parcel of last tuesday"
# What an error in a request looks like: the text is in its message, a variable, the query and a log line.
PROGRAM = f"""
import logging, sys
import django
django.setup()
from django.test import Client
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
def fail(text):
    raise ValueError(f"cannot read {{text}}")
try:
    fail({TEXT!r})
except ValueError:
    logging.getLogger("annotate.x").exception("It broke at %s", {TEXT!r})
Client().get("/api/v1/projects", {{"q": {TEXT!r}}})
if settings.SENTRY_DSN:
    import sentry_sdk
    sentry_sdk.flush()
if settings.OTLP_ENDPOINT:
    from opentelemetry import trace
    trace.get_tracer_provider().force_flush()
print(sorted({{"sentry_sdk", "annotate.telemetry.traces"}} & set(sys.modules)))
"""


class Collector(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Listener)
        self.got: list[bytes] = []


class _Listener(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_packed = self.headers.get("Content-Encoding") == "gzip"
        self.server.got.append(gzip.decompress(body) if is_packed else body)
        self.send_response(HTTPStatus.OK)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Any:
    server = Collector()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def run_with(home: Path, **environ: str) -> str:
    own = {"DJANGO_SETTINGS_MODULE": "annotate.settings", "WINNOW_HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env={**own, **environ}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nothing_is_loaded_without_its_variable(tmp_path: Path) -> None:
    assert run_with(tmp_path) == "[]"


def test_an_error_is_reported_by_its_place_alone(tmp_path: Path, collector: Collector) -> None:
    address = f"http://key@127.0.0.1:{collector.server_port}/1"
    assert run_with(tmp_path, SENTRY_DSN=address) == "['sentry_sdk']"
    told = b"\n".join(collector.got).decode()
    assert '"type":"ValueError"' in told
    assert "It broke at %s" in told
    assert '"function":"fail"' in told
    assert "parcel" not in told


def test_a_trace_tells_a_route_and_no_query(tmp_path: Path, collector: Collector) -> None:
    address = f"http://127.0.0.1:{collector.server_port}"
    assert run_with(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=address) == "['annotate.telemetry.traces']"
    told = b"\n".join(collector.got)
    assert b"api/v1/projects" in told
    assert b"winnow" in told
    assert b"parcel" not in told


def test_a_library_that_is_not_installed_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SENTRY_DSN = "http://key@127.0.0.1/1"
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    monkeypatch.delitem(sys.modules, "annotate.telemetry.errors", raising=False)
    with pytest.raises(ImproperlyConfigured, match=r"pip install '\.\[sentry\]'"):
        telemetry.start()
