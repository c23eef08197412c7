"""Many texts at once against a real server: bounded, in order, within the budget, ended without a trace."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.training.llm.conftest import Act, Server, after, labels, replies, says, until
from training.llm.asking import Question, ask_all
from training.llm.budget import BudgetMeter
from training.llm.cache import SqliteCache
from training.llm.client import Chat, Endpoint
from training.llm.errors import Away, BudgetSpent, LlmError, Stopped, Unusable
from training.llm.labeller import Labeller, LlmReply
from training.llm.parse import LlmOutcome
from training.llm.prompt import Prompt
from training.tasks import SINGLE
from training.types import LabelSchema, LabelSpec, TrainingError

SCHEMA = LabelSchema(SINGLE, (LabelSpec("7", "card"), LabelSpec("8", "rate")))
PROMPT = Prompt(SCHEMA)
MANY = [f"text {number}" for number in range(12)]


@pytest.fixture(autouse=True)
def no_thread_survives() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("llm")] == []


@contextmanager
def labelling(
    server: Server, *, meter: BudgetMeter | None = None, cache: SqliteCache | None = None, **settings: float
) -> Iterator[Labeller]:
    endpoint = Endpoint(server.url, "m", **{"attempts": 2, "first_wait": 0.01, **settings})  # type: ignore[arg-type]
    with Chat(endpoint) as chat:
        yield Labeller(chat, meter or BudgetMeter(), cache)


def questions(texts: Iterable[str]) -> Iterator[Question]:
    return (Question(text, PROMPT) for text in texts)


def ask(
    server: Server,
    texts: Iterable[str],
    *,
    concurrency: int = 4,
    meter: BudgetMeter | None = None,
    cache: SqliteCache | None = None,
) -> dict[int, LlmReply]:
    found: dict[int, LlmReply] = {}
    with labelling(server, meter=meter, cache=cache) as labeller:
        ask_all(labeller, questions(texts), found.__setitem__, concurrency=concurrency)
    return found


@pytest.mark.parametrize("concurrency", [1, 4])
def test_so_many_are_under_way_at_once_and_no_more(server: Server, concurrency: int) -> None:
    server.delay = 0.1
    assert len(ask(server, MANY, concurrency=concurrency)) == len(MANY)
    assert server.at_once == concurrency
    assert sorted(server.texts) == sorted(MANY)


def test_each_number_gets_its_own_answer_whichever_comes_first(server: Server) -> None:
    server.choose = lambda text: after(0.3, labels("card")) if text == "slow" else labels("rate")
    found = ask(server, ["slow", "a", "b", "c", "d"])
    assert list(found)[-1] == 0
    assert [found[number].labels for number in range(5)] == [("7",), ("8",), ("8",), ("8",), ("8",)]


def test_a_text_is_taken_only_when_it_can_be_asked(server: Server) -> None:
    server.delay = 0.02
    ahead = []

    def taken() -> Iterator[Question]:
        for number, text in enumerate(MANY):
            ahead.append(number - len(found))
            yield Question(text, PROMPT)

    found: dict[int, LlmReply] = {}
    with labelling(server) as labeller:
        ask_all(labeller, taken(), found.__setitem__, concurrency=3)
    assert max(ahead) <= 2


def test_all_but_the_waiting_stays_on_the_calling_thread(server: Server) -> None:
    threads = set()

    def here() -> Iterator[Question]:
        for text in MANY:
            threads.add(threading.current_thread())
            yield Question(text, PROMPT)

    with labelling(server) as labeller:
        ask_all(labeller, here(), lambda *_: threads.add(threading.current_thread()))
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_equal_texts_are_asked_once_and_paid_for_once(server: Server, concurrency: int) -> None:
    server.delay = 0.02
    meter = BudgetMeter()
    found = ask(server, ["a", "b"] * 6, concurrency=concurrency, meter=meter)
    assert sorted(server.texts) == ["a", "b"]
    assert {answer.labels for answer in found.values()} == {("7",)}
    assert sum(len(answer.calls) for answer in found.values()) == len(meter.calls) == 2


def test_a_bad_answer_stands_for_equal_texts_and_a_failure_is_tried_anew(server: Server) -> None:
    server.plan = [says(None, refusal="no")]
    found = ask(server, ["a", "a"], concurrency=1)
    assert ([answer.outcome for answer in found.values()], len(server.requests)) == (
        [LlmOutcome.REFUSED] * 2,
        1,
    )
    server.plan = [replies(500, "{}"), replies(500, "{}"), labels("card")]
    found = ask(server, ["b", "b"], concurrency=1)
    assert [answer.outcome for answer in found.values()] == [LlmOutcome.FAILED, LlmOutcome.ANSWERED]


def test_the_cache_is_asked_before_the_endpoint(server: Server, tmp_path: Path) -> None:
    with SqliteCache(tmp_path / "kept.sqlite3") as cache:
        ask(server, MANY[:6], cache=cache)
        found = ask(server, MANY, cache=cache)
    assert sorted(server.texts) == sorted(MANY)
    assert [found[number].calls == () for number in range(len(MANY))] == [True] * 6 + [False] * 6


@pytest.mark.parametrize("is_counted", [True, False])
def test_the_budget_holds_and_as_much_is_asked_as_one_by_one(server: Server, is_counted: bool) -> None:
    server.plan = [says('{"label": "card"}', usage=is_counted)]
    server.delay = 0.02
    calls = []
    for concurrency in (1, 8):
        meter = BudgetMeter(max_tokens=4_000)
        with pytest.raises(BudgetSpent, match="of 4,000 tokens are spent"):
            ask(server, (f"{number:03}" for number in range(500)), concurrency=concurrency, meter=meter)
        assert meter.tokens <= 4_000
        calls.append(len(meter.calls))
    assert calls[0] == calls[1] > 1
    assert len(server.requests) == sum(calls)


def test_a_budget_for_one_is_enough_for_one_after_the_other(server: Server) -> None:
    server.delay = 0.05
    found = ask(server, MANY, meter=BudgetMeter(max_tokens=2_900))
    assert len(found) == len(MANY)
    assert server.at_once < 4  # what others may take is held back


def test_a_limited_rate_slows_all(server: Server) -> None:
    limited = threading.Event()

    def turn_away(handler: BaseHTTPRequestHandler) -> None:
        until(lambda: len(server.requests) == 4)
        replies(429, "{}", Retry_After="1")(handler)
        limited.set()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        limited.wait(10)
        time.sleep(0.1)  # so that what was limited is known when this comes
        labels("card")(handler)

    server.plan = [turn_away, answer]
    assert len(ask(server, MANY)) == len(MANY)
    assert len(server.requests) == len(MANY) + 1
    assert server.arrivals[4] - server.arrivals[3] >= 1.0


@pytest.mark.parametrize("act", [replies(401, "no"), replies(404, "no such model")])
def test_what_is_wrong_for_all_ends_it_at_once(server: Server, act: Act) -> None:
    server.plan = [act]
    with pytest.raises(Unusable):
        ask(server, (str(number) for number in range(1_000)))
    assert len(server.requests) <= 4


def test_what_is_rejected_again_and_again_ends_it_soon(server: Server) -> None:
    server.plan = [replies(400, "no such model")]
    with pytest.raises(LlmError, match="no such model"):
        ask(server, (str(number) for number in range(1_000)))
    assert len(server.requests) <= 3 * 4


def test_a_failure_of_all_that_are_under_way_counts_once(server: Server) -> None:
    def fail(handler: BaseHTTPRequestHandler) -> None:
        until(lambda: len(server.requests) >= 4)
        replies(500, "{}")(handler)

    server.choose = lambda text: fail if text in MANY[:4] else labels("card")
    found = ask(server, MANY)
    assert [found[number].outcome is LlmOutcome.FAILED for number in range(12)] == [True] * 4 + [False] * 8


def test_an_endpoint_that_is_away_ends_it_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        away = Server(url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(Away, match="Is it running"):
            ask(away, (str(number) for number in range(1_000)))


def test_the_end_of_all_wakes_those_that_wait(server: Server) -> None:
    server.choose = lambda text: replies(500, "{}") if text == "a" else after(0.2, replies(401, "no"))
    started = time.monotonic()
    with labelling(server, first_wait=50.0) as labeller, pytest.raises(Unusable, match="refuses the key"):
        ask_all(labeller, questions(["a", "b"]), lambda *_: None)
    assert time.monotonic() - started < 10


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_keeps_all_that_was_asked(server: Server, tmp_path: Path) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def choose(text: str) -> Act:
        if text == "text 5":
            signal.pthread_kill(main, signal.SIGINT)
        return after(0.1, labels("card"))

    server.choose = choose
    kept: dict[int, LlmReply] = {}
    with SqliteCache(tmp_path / "kept.sqlite3") as cache, labelling(server, cache=cache) as labeller:
        with pytest.raises(KeyboardInterrupt):
            ask_all(labeller, questions(MANY), kept.__setitem__)
        assert sorted(MANY[number] for number in kept) == sorted(server.texts)
        assert 3 <= len(kept) < len(MANY)
        assert all(labeller.kept(labeller.key(MANY[number], PROMPT)) for number in kept)


def test_a_stop_from_another_thread_keeps_all_that_was_asked(server: Server) -> None:
    kept: dict[int, LlmReply] = {}
    with labelling(server) as labeller:

        def choose(text: str) -> Act:
            if text == "text 5":
                labeller.stop()
            return after(0.1, labels("card"))

        server.choose = choose
        with pytest.raises(Stopped):
            ask_all(labeller, questions(MANY), kept.__setitem__)
    assert sorted(MANY[number] for number in kept) == sorted(server.texts)
    assert 3 <= len(kept) < len(MANY)


def test_an_answer_that_cannot_be_kept_does_not_lose_the_others(server: Server) -> None:
    server.choose = lambda text: labels("card") if text == "text 0" else after(0.2, labels("card"))
    kept = []

    def keep(number: int, answer: LlmReply) -> None:
        if number == 0:
            raise OSError("the disk is full")
        kept.append(number)

    with labelling(server) as labeller, pytest.raises(OSError, match="disk is full"):
        ask_all(labeller, questions(MANY), keep)
    assert sorted(MANY[number] for number in kept) == sorted(set(server.texts) - {"text 0"})


@pytest.mark.parametrize("concurrency", [0, -1, 65])
def test_a_number_that_makes_no_sense_is_refused(server: Server, concurrency: int) -> None:
    with pytest.raises(TrainingError, match="From 1 to 64"):
        ask(server, MANY, concurrency=concurrency)
    assert not server.requests
