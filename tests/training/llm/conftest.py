"""A real HTTP server that speaks the chat completions protocol, well or badly, as each test tells it to."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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


def after(seconds: float, act: Act) -> Act:
    def late(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        act(handler)

    return late


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
    """`plan` holds what to do with each request in turn, its last entry for ever; `choose` goes by the text.

    An answer takes `delay` seconds; `at_once` is the most requests that were under way together.
    """

    plan: list[Act] = field(default_factory=lambda: [labels("card")])
    choose: Callable[[str], Act] | None = None
    delay: float = 0.0
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    at_once: int = 0
    url: str = ""
    under_way: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def texts(self) -> list[str]:
        """What was asked about, in the order in which it came."""
        return [text_of(sent) for sent in self.requests]

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self.counted():
            with self.lock:
                self.arrivals.append(time.monotonic())
                self.requests.append(body | {"path": handler.path})
                self.headers.append(dict(handler.headers))
                act = self.next_act(body)
            time.sleep(self.delay)
        with suppress(OSError):  # the client hung up, as some tests want it to
            act(handler)

    def next_act(self, body: dict[str, Any]) -> Act:
        if self.choose is not None:
            return self.choose(text_of(body))
        return self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request until just before its answer: with that the client may send the next one."""
        with self.lock:
            self.under_way += 1
            self.at_once = max(self.at_once, self.under_way)
        try:
            yield
        finally:
            with self.lock:
                self.under_way -= 1


def text_of(sent: dict[str, Any]) -> str:
    """Return the text that a request asks about; what follows it is about an answer."""
    quoted = [turn["content"] for turn in sent["messages"] if turn["content"].startswith('{"text": ')]
    return str(json.loads(quoted[-1])["text"])


def until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *request: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that gave up is part of some tests
            super().handle_error(*request)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C interrupt as in a terminal: a process that was started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else the body of an answer comes 40 ms after its header

        def do_POST(self) -> None:
            state.handle(self)

        def log_message(self, *_: Any) -> None: ...

    http = Listener(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_port}/v1"
    yield state
    http.shutdown()
    http.server_close()
    thread.join()
