"""A real HTTP server that speaks the chat completions protocol, well or badly, as each test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Act = Callable[[BaseHTTPRequestHandler], None]
KEY = "sk-a-very-secret-key"


def says(text: str | None, *, usage: bool = True, **more: Any) -> Act:
    """Answer with a completion; `more` goes beside its message, as `refusal` and `finish_reason`."""
    finish = more.pop("finish_reason", "stop")
    content: dict[str, Any] = {
        "choices": [{"message": {"role": "assistant", "content": text, **more}, "finish_reason": finish}]
    }
    if usage:
        content["usage"] = {"prompt_tokens": 100, "completion_tokens": 10}
    return replies(200, json.dumps(content))


def labels(*names: str) -> Act:
    return says(json.dumps({"label": names[0]} if len(names) == 1 else {"labels": names}))


def replies(status: int, body: str, **headers: str) -> Act:
    def act(handler: BaseHTTPRequestHandler) -> None:
        sent = body.encode()
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(sent))}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(sent)

    return act


def sleeps(seconds: float) -> Act:
    def act(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return act


def trickles(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, so that no single read is slow."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        time.sleep(0.05)


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@dataclass
class Server:
    """`plan` holds what to do with each request in turn; its last entry goes on for ever."""

    plan: list[Act] = field(default_factory=lambda: [labels("card")])
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        self.requests.append(json.loads(body) | {"path": handler.path})
        self.headers.append(dict(handler.headers))
        act = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
        with suppress(OSError):  # the client hung up, as some tests want it to
            act(handler)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            state.handle(self)

        def log_message(self, *_: Any) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/v1"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
