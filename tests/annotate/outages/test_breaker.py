from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from annotate.outages.breaker import Breaker


class Away(Exception):
    pass


@dataclass
class Server:
    """A server whose clock the test sets; it counts how often somebody asks it."""

    now: float = 100.0
    is_away: bool = False
    asked: int = 0
    breaker: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = Breaker("The server", (Away,), rest=3.0, clock=lambda: self.now)

    def answer(self) -> str:
        self.asked += 1
        if self.is_away:
            raise Away("nobody is there")
        return "an answer"

    def ask(self) -> str:
        return self.breaker.attempt(self.answer, "nothing")


@pytest.fixture
def server() -> Server:
    return Server()


def test_what_fails_counts_as_nothing_found(server: Server) -> None:
    assert server.ask() == "an answer"
    server.is_away = True
    assert server.ask() == "nothing"


def test_nobody_asks_again_until_the_rest_is_over_and_then_one(server: Server) -> None:
    server.is_away = True
    server.ask()
    server.now += 2.9
    assert server.ask() == "nothing"
    assert server.asked == 1
    server.now += 0.1
    seen = []
    server.breaker.attempt(lambda: seen.append(server.ask()), None)  # a second caller during the first try
    assert seen == ["nothing"]
    assert server.asked == 1


def test_it_is_asked_as_ever_once_it_answers_again(server: Server) -> None:
    server.is_away = True
    server.ask()
    server.is_away, server.now = False, server.now + 3.0
    assert [server.ask(), server.ask()] == ["an answer", "an answer"]


def test_an_error_of_another_kind_is_raised(server: Server) -> None:
    with pytest.raises(ZeroDivisionError):
        server.breaker.attempt(lambda: 1 / 0, 0.0)
    assert server.ask() == "an answer"


def test_an_outage_is_two_lines_however_many_calls_fall_into_it(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.is_away = True
    for _ in range(90):
        server.ask()
        server.now += 0.5
    server.is_away, server.now = False, server.now + 3.0
    server.ask()
    began, ended = [record.getMessage() for record in caplog.records]
    assert began == "The server is away, and all else goes on without it: nobody is there"
    assert ended == "The server answers again after 48 s; 90 calls went without it."
    assert all(record.exc_info is None for record in caplog.records)
