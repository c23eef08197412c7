"""How a record of the log becomes a line: for people to read, or a JSON object for programs."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import structlog
from structlog.typing import EventDict

from annotate.logs import context


class ReadableLine(logging.Formatter):
    """The message, and behind it the request and the work that it belongs to."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:
        told = " ".join(f"{name}={value}" for name, value in context.told().items())
        return super().formatMessage(record) + (f" [{told}]" if told else "")


def json_line() -> logging.Formatter:
    """Return a formatter for one JSON object a line.

    NB: a traceback is told as text. Structlog's own form of it holds the values of variables, and with them
    the texts of people.
    """
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            _add_time,
            structlog.processors.format_exc_info,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _add_time(logger: object, method: str, event: EventDict) -> EventDict:
    """Tell when it happened, which may be a minute before it is written."""
    event["timestamp"] = datetime.fromtimestamp(event["_record"].created, UTC).isoformat()
    return event
