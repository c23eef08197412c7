"""A line of the log names its request and its work, for people and as JSON, and quotes no variable."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisAway

from annotate.logs import context as log_context
from annotate.logs.lines import ReadableLine, json_line
from annotate.outages import log
from annotate.outages.log import FaultHandler


def record_of(message: str, *args: object, error: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if error else None
    return logging.LogRecord("annotate.x", logging.WARNING, "", 0, message, args, info)


def failed_over(secret: str) -> logging.LogRecord:
    try:
        raise KeyError("place")
    except KeyError:
        return record_of("It broke at %s.", "noon", error=True)


def test_a_readable_line_ends_with_its_request_and_work() -> None:
    with log_context.bound(request_id="ab12", work="TrainingRun-3"):
        inside = ReadableLine().format(record_of("Read %s rows.", 5))
    assert inside.endswith("WARNING annotate.x: Read 5 rows. [request_id=ab12 work=TrainingRun-3]")
    assert ReadableLine().format(record_of("Read.")).endswith("WARNING annotate.x: Read.")


def test_a_json_line_holds_the_same_in_fields() -> None:
    record = record_of('Read "%s"\nby %s.', "ж", "her")
    record.created = 1_700_000_000.5
    with log_context.bound(request_id="ab12"):
        line = json_line().format(record)
    assert json.loads(line) == {
        "event": 'Read "ж"\nby her.',
        "level": "warning",
        "logger": "annotate.x",
        "request_id": "ab12",
        "timestamp": "2023-11-14T22:13:20.500000+00:00",
    }
    assert "\n" not in line


@pytest.mark.parametrize("make", [ReadableLine, json_line])
def test_a_traceback_tells_places_and_not_what_variables_hold(make: Callable[[], Any]) -> None:
    line = make().format(failed_over("the text of somebody"))
    assert "KeyError" in line
    assert "failed_over" in line
    assert "the text of somebody" not in line


def test_whatever_the_log_says_of_itself_is_an_object_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    handler = FaultHandler()
    handler.setFormatter(json_line())
    handler.stream = written = io.StringIO()
    for _ in range(3):
        try:
            raise RedisAway("away")
        except RedisAway:
            handler.handle(record_of("No answer", error=True))
    now[0] = log.WINDOW_SECONDS
    handler._lost = 2
    handler.handle(record_of("Not Found: /invitations/secret-1/"))
    told = [json.loads(line)["event"] for line in written.getvalue().splitlines()]
    assert told == [
        "No answer: ConnectionError: away",
        "2 lines of this log could not be written.",
        "No answer: ConnectionError: away [and 2 times more within 60 s]",
        "Not Found: /invitations/…/",
    ]
