"""A receiver of webhooks of the tests' own: it keeps what it got and answers as it is told to."""

from __future__ import annotations

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from django.utils import timezone

from annotate.models import Project, Webhook


class _Receiving(BaseHTTPRequestHandler):
    server: WebhookReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        if self.server.drips:
            self._drip()
            return
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self) -> None:
        """Send a header for ever, letter by letter."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _second in range(100):
            self.wfile.write(b"a")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *args: Any) -> None:
        pass


class WebhookReceiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiving)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.headers, self.drips = 204, dict[str, str](), False
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def message(self, number: int = -1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.got[number][1])
        return found


def make_webhook(project: Project) -> Webhook:
    """Make a webhook that was switched off."""
    return Webhook.objects.create(
        project=project, address="https://hooks.example.org/x", sealed_secret="", off_at=timezone.now()
    )
