"""Reporting never fails what it reports on, and a fault is a line and not ninety."""

from __future__ import annotations

import errno
import io
import logging
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from redis.exceptions import ConnectionError as RedisAway

from annotate import tasks
from annotate.environment import Reporting, open_standard_streams
from annotate.outages import log
from annotate.outages.console import Console
from annotate.outages.log import FaultHandler
from annotate.services.work import lease


class Disk(io.StringIO):
    """A log file on a disk that may be full."""

    is_full = False

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)

    @property
    def lines(self) -> list[str]:
        return self.getvalue().splitlines()


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def logger(disk: Disk, clock: list[float]) -> Iterator[logging.Logger]:
    handler = FaultHandler()
    handler.setStream(disk)
    handler.setFormatter(logging.Formatter("{levelname} {message}", style="{"))
    logger = logging.getLogger("annotate.tests.of_the_log")
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def fail(logger: logging.Logger, error: Exception, where: str = "/somewhere/") -> None:
    try:
        raise error
    except type(error):
        logger.exception("It failed at %s", where)


def test_a_log_that_cannot_be_written_costs_lines_and_says_how_many(
    logger: logging.Logger, disk: Disk
) -> None:
    disk.is_full = True
    logger.warning("one")
    logger.warning("two")
    disk.is_full = False
    logger.warning("three")
    logger.warning("four")
    lost = "WARNING 2 lines of this log could not be written."
    assert disk.lines == [lost, "WARNING three", "WARNING four"]


def test_a_closed_log_and_a_message_that_does_not_fit_raise_nothing(
    logger: logging.Logger, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.warning("%d is no number", "one")
    logger.warning("after it")
    assert disk.lines == ["WARNING after it"]
    disk.close()
    logger.warning("nobody hears this")


def test_an_outage_is_a_line_at_its_start_and_a_count_afterwards(
    logger: logging.Logger, disk: Disk, clock: list[float]
) -> None:
    for number in range(90):
        fail(logger, RedisAway("Error 111 connecting to\n127.0.0.1"), f"/page/{number}/")
    assert disk.lines == ["ERROR It failed at /page/0/: ConnectionError: Error 111 connecting to 127.0.0.1"]
    clock[0] += log.WINDOW_SECONDS
    logger.warning("something else")
    assert disk.lines[1:] == [f"{disk.lines[0]} [and 89 times more within 60 s]", "WARNING something else"]


def test_an_outage_that_goes_on_is_told_again_each_minute(
    logger: logging.Logger, disk: Disk, clock: list[float]
) -> None:
    for _ in range(3):
        fail(logger, RedisAway("away"))
        clock[0] += log.WINDOW_SECONDS
    assert len(disk.lines) == 3


def test_a_full_disk_is_an_outage(logger: logging.Logger, disk: Disk) -> None:
    for number in range(3):
        fail(logger, OSError(errno.ENOSPC, "No space left on device"), f"/page/{number}/")
    assert disk.lines == ["ERROR It failed at /page/0/: OSError: [Errno 28] No space left on device"]
    fail(logger, OSError(errno.EISDIR, "Is a directory"))
    assert "Traceback" in disk.getvalue()


@pytest.mark.django_db
def test_a_tick_without_a_database_is_a_line_and_no_traceback(
    disk: Disk, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(rows: object) -> list[Any]:
        raise OperationalError("database or disk is full") from _full()

    handler = FaultHandler()
    handler.setStream(disk)
    monkeypatch.setattr(lease, "recover", away)
    trace = logging.getLogger("celery.app.trace")
    trace.addHandler(handler)
    for _ in range(30):
        tasks.tick.apply()
    trace.removeHandler(handler)
    assert len(disk.lines) == 1
    assert "database or disk is full" in disk.lines[0]


def _full() -> sqlite3.OperationalError:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    return full


def test_another_error_has_its_traceback_once_and_is_a_line_each_time(
    logger: logging.Logger, disk: Disk
) -> None:
    for number in range(3):
        fail(logger, KeyError("x"), f"/page/{number}/")
    told = disk.getvalue()
    assert told.count("Traceback") == 1
    assert [f"It failed at /page/{number}/" in told for number in range(3)] == [True] * 3
    fail(logger, ZeroDivisionError("another one"))
    assert disk.getvalue().count("Traceback") == 2


def test_lines_that_are_no_fault_are_never_held_back(logger: logging.Logger, disk: Disk) -> None:
    for _ in range(3):
        logger.warning('login-refused user="anna"')
    assert len(disk.lines) == 3


def test_what_celery_says_at_each_new_try_is_said_once(disk: Disk, clock: list[float]) -> None:
    handler = FaultHandler()
    handler.setStream(disk)
    for number in range(30):
        record = logging.LogRecord(
            "celery.worker.consumer.consumer", logging.ERROR, "", 0, "Cannot connect, try %s", (number,), None
        )
        handler.handle(record)
    assert disk.lines == ["Cannot connect, try 0"]


def test_an_error_by_which_another_was_caused_tells_what_is_away() -> None:
    stored = OperationalError("database or disk is full")
    stored.__cause__ = full = _full()
    outer = RuntimeError("could not note it")
    outer.__cause__ = stored
    assert log.is_away(outer)
    assert not log.is_away(RuntimeError("could not note it"))
    full.sqlite_errorcode = sqlite3.SQLITE_ERROR  # no such table
    assert not log.is_away(outer)


def test_a_console_survives_a_full_disk_and_a_closed_pipe() -> None:
    with open("/dev/full", "w") as full:
        Console(full)("nobody reads this")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        Console(pipe)("nor this")


def test_a_console_does_not_wait_for_a_reader_who_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotate.outages.console.PATIENCE_MS", 1)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as held, os.fdopen(writer, "w") as pipe:
        console = Console(pipe)
        for _ in range(50):
            console("x" * 9999)  # more in all than a pipe holds
        os.read(held.fileno(), 1 << 20)
        console("read again")
        told = os.read(held.fileno(), 1 << 20).decode()
    lost = int(told.splitlines()[-2].split()[0])
    assert 0 < lost < 50
    assert told.splitlines()[-2:] == [f"{lost} lines could not be written here.", "read again"]


def test_standard_error_on_a_full_disk_fails_nothing() -> None:
    full = Disk()
    full.is_full = True
    assert Reporting(full).write("nobody reads this\n") == 18
    full.is_full = False
    Reporting(full).write("read again\n")
    assert full.lines == ["read again"]


def test_a_console_writes_into_memory_as_tests_ask_for() -> None:
    memory = io.StringIO()
    Console(memory)("a line")
    assert memory.getvalue() == "a line\n"


def test_a_closed_stream_is_no_number_for_the_next_file(tmp_path: Path, monkeypatch: Any) -> None:
    kept = os.dup(1)
    try:
        os.close(1)
        monkeypatch.setattr("sys.stdout", None)
        monkeypatch.setattr("sys.stderr", None)
        open_standard_streams()
        with open(tmp_path / "database", "wb") as file:
            assert file.fileno() > 2
        print("this goes nowhere")  # noqa: T201
    finally:
        os.dup2(kept, 1)
        os.close(kept)
