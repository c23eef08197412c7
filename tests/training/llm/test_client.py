from __future__ import annotations

import logging
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from tests.training.llm.conftest import KEY, Server, hangs_up, labels, replies, says, sleeps, trickles, until
from training.llm.client import Attempt, Chat, Completion, Endpoint
from training.llm.errors import (
    Away,
    Garbled,
    LlmError,
    RateLimited,
    RequestRejected,
    ServerFailed,
    Stopped,
    TooSlow,
    Unusable,
)
from training.llm.gate import Gate
from training.llm.waiting import asked_for
from training.storable import text_fault
from training.types import TrainingError

SCHEMA = {"type": "object"}
MESSAGES = [{"role": "user", "content": "x"}]


class Time:
    """A clock that goes only while somebody waits; `waits` are the seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def gate(self) -> Gate:
        return Gate(clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)


def ask(server: Server, time: Time | None = None, **settings: float) -> Completion:
    endpoint = Endpoint(server.url, "m", key=KEY, **settings)  # type: ignore[arg-type]
    with Chat(endpoint, gate=(time or Time()).gate(), rng=random.Random(0)) as chat:
        return chat.ask(MESSAGES, SCHEMA)


def test_a_question_is_one_of_the_protocol(server: Server) -> None:
    found = ask(server)
    assert found.text == '{"label": "card"}'
    assert (found.input_tokens, found.output_tokens) == (100, 10)
    assert 0 < found.seconds < 5
    sent = server.requests[0]
    assert (sent["path"], sent["model"], sent["messages"]) == ("/v1/chat/completions", "m", MESSAGES)
    assert sent["response_format"]["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}
    assert (sent["temperature"], sent["max_tokens"]) == (0, 300)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_an_option_of_none_is_left_out(server: Server) -> None:
    options = {"temperature": None, "max_tokens": None, "max_completion_tokens": 50, "response_format": None}
    with Chat(Endpoint(server.url, "m", options=options)) as chat:
        chat.ask(MESSAGES, SCHEMA)
    sent = server.requests[0]
    assert not {"temperature", "max_tokens", "response_format"} & sent.keys()
    assert sent["max_completion_tokens"] == 50


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_busy_or_failing_endpoint_is_asked_again(server: Server, status: int) -> None:
    server.plan = [replies(status, "{}"), replies(status, "{}"), labels("card")]
    time = Time()
    assert ask(server, time).text == '{"label": "card"}'
    assert 0.5 <= time.waits[0] <= 1 <= time.waits[1] <= 2  # doubled, with jitter


def test_it_waits_as_long_as_it_is_asked_to(server: Server) -> None:
    server.plan = [replies(429, "{}", Retry_After="7"), labels("card")]
    time = Time()
    ask(server, time)
    assert time.waits == [7.0]


def test_a_wait_of_an_hour_ends_the_run(server: Server) -> None:
    server.plan = [replies(429, "{}", Retry_After="3600")]
    time = Time()
    with pytest.raises(RateLimited, match="asks to wait for 3,600 seconds"):
        ask(server, time)
    assert (time.waits, len(server.requests)) == ([], 1)


def test_after_all_attempts_the_failure_is_told(server: Server) -> None:
    server.plan = [replies(500, '{"error": {"message": "out of memory"}}')]
    with pytest.raises(ServerFailed, match=r"failed \(HTTP 500\): out of memory"):
        ask(server, attempts=3)
    assert len(server.requests) == 3


@pytest.mark.parametrize("slow", [sleeps(1.0), trickles])
def test_a_slow_answer_is_given_up(server: Server, slow: object) -> None:
    server.plan = [slow]  # type: ignore[list-item]
    with pytest.raises(TooSlow, match=r"did not answer within 0\.2 seconds"):
        ask(server, timeout=0.2, attempts=1)


def test_a_slow_answer_is_asked_for_again(server: Server) -> None:
    server.plan = [sleeps(0.5), labels("card")]
    assert ask(server, timeout=0.2).text == '{"label": "card"}'


@pytest.mark.parametrize(
    "body",
    [
        "<html>welcome</html>",
        "[]",
        "{}",
        '{"choices": []}',
        '{"choices": [{"message": {"content": 3}}]}',
        "[" * 99999,
    ],
)
def test_an_answer_of_another_protocol_is_named(server: Server, body: str) -> None:
    server.plan = [replies(200, body)]
    with pytest.raises(Garbled, match="no chat completion"):
        ask(server)
    assert len(server.requests) == 1


def test_an_endless_answer_is_cut_off(server: Server) -> None:
    server.plan = [replies(200, "x" * 1_100_000)]
    with pytest.raises(Garbled, match="more than 1,000,000 bytes"):
        ask(server)


@pytest.mark.parametrize(
    ("status", "sentence"), [(401, "refuses the key"), (404, "does not take"), (307, "does not take")]
)
def test_what_cannot_pass_is_not_asked_again(server: Server, status: int, sentence: str) -> None:
    server.plan = [replies(status, "no", Location="http://127.0.0.1:9/")]
    with pytest.raises(Unusable, match=sentence):
        ask(server)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_question_that_is_not_taken_is_one_of_its_kind(server: Server, status: int) -> None:
    server.plan = [replies(status, '{"error": {"message": "too long"}}')]
    with pytest.raises(RequestRejected, match="does not take the request .*too long"):
        ask(server)
    assert len(server.requests) == 1


def test_nothing_is_asked_once_it_was_stopped(server: Server) -> None:
    with Chat(Endpoint(server.url, "m")) as chat:
        chat.stop()
        with pytest.raises(Stopped):
            chat.ask(MESSAGES, SCHEMA)
    assert not server.requests


def test_a_stop_ends_a_wait(server: Server) -> None:
    server.plan = [replies(429, "{}", Retry_After="50")]
    with Chat(Endpoint(server.url, "m")) as chat, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(chat.ask, MESSAGES, SCHEMA)
        until(lambda: bool(server.requests))
        chat.stop()
        with pytest.raises(Stopped):
            asked.result(timeout=5)


def test_a_rest_is_for_all_and_the_longest_counts() -> None:
    time = Time()
    gate = time.gate()
    gate.rest_until(7.0)
    gate.rest_until(3.0)
    gate.wait(5.0)
    gate.wait(6.0)
    assert time.waits == [7.0]


def test_a_closed_port_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Away, match="cannot be reached"):
        ask(Server(url=f"http://127.0.0.1:{port}/v1"), attempts=2)


def test_a_connection_that_is_dropped_is_tried_again(server: Server) -> None:
    server.plan = [hangs_up, labels("card")]
    assert ask(server).text == '{"label": "card"}'


def test_the_key_is_in_no_message_and_no_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.plan = [replies(401, f'{{"error": {{"message": "the key {KEY} is wrong"}}}}')]
    with pytest.raises(LlmError) as raised:
        ask(server)
    assert "[key] is wrong" in str(raised.value)
    assert KEY not in caplog.text
    assert KEY not in repr(Endpoint("http://host/v1", "m", key=KEY))


@pytest.mark.parametrize(
    "url",
    ["host/v1", "ftp://host", "http://", "https://me:secret@host/v1", "http://h/?key=1"]
    + ["http://host:port/v1", "http://[::1/v1"],
)
def test_an_address_that_would_not_work_or_hold_a_secret_is_refused(url: str) -> None:
    with pytest.raises(TrainingError, match="endpoint"):
        Endpoint(url, "m")


@pytest.mark.parametrize("key", ["sk-secret\n", "sk secret", "ключ"])
def test_a_key_that_no_header_can_hold_is_refused_unquoted(key: str) -> None:
    with pytest.raises(TrainingError, match="key holds") as raised:
        Endpoint("http://host/v1", "m", key=key)
    assert key not in str(raised.value)


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"timeout": 0}])
def test_an_endpoint_gets_an_attempt_and_some_time(wrong: dict[str, int]) -> None:
    with pytest.raises(TrainingError, match="at least one attempt"):
        Endpoint("http://host/v1", "m", **wrong)  # type: ignore[arg-type]


def test_a_complaint_of_half_a_character_can_be_stored(server: Server) -> None:
    server.plan = [replies(400, '{"error": {"message": "no \\ud83d \\u0000"}}')]
    with pytest.raises(RequestRejected) as refused:
        ask(server)
    assert text_fault(str(refused.value)) == ""
    assert "no \\ud83d" in str(refused.value)


@pytest.mark.parametrize("count", ["1" * 30, "1" * 4000, "1" * 5000, "1e999", "-1", "true"])
def test_a_count_of_tokens_that_nobody_could_have_counted_is_none(server: Server, count: str) -> None:
    answer = '{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": %s}}'
    server.plan = [replies(200, answer.replace("%s", count))]
    assert ask(server).input_tokens is None


def test_an_endpoint_that_counts_no_tokens_says_none(server: Server) -> None:
    server.plan = [says("{}", usage=False)]
    assert ask(server).input_tokens is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("3", 3), ("1.5", 1.5), ("-4", 0), ("nan", 0), ("inf", 0), ("soon", 0)]
    + [("Sat, 01 Jan 2022 00:00:30 GMT", 30), ("Fri, 31 Dec 2021 23:59:00 GMT", 0)],
)
def test_a_wanted_wait_is_seconds_or_a_date(header: str, seconds: float) -> None:
    assert asked_for(header, datetime(2022, 1, 1, tzinfo=UTC)) == seconds


def test_a_stop_holds_for_what_waits_to_be_charged(server: Server) -> None:
    with Chat(Endpoint(server.url, "m")) as chat:

        def charge(attempt: Attempt) -> Completion:
            chat.stop()
            return attempt()

        with pytest.raises(Stopped):
            chat.ask(MESSAGES, SCHEMA, charge)
    assert not server.requests
