"""How this site logs: a line a fault, and a log that cannot be written costs lines and nothing else."""

from __future__ import annotations

import copy
import errno
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

from annotate.outages import database

WINDOW_SECONDS = 60.0
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # a full disk, or one that became read-only
CHATTY = ("celery", "kombu")  # loggers that say the same at each new try


# What follows this in an address lets in whoever reads it, and Django logs that of each request it refuses.
SECRETS = re.compile(r"(/(?:invitations|password-link|address-link)/)[^/\s\"']+")


@dataclass
class ToldFault:
    """What was logged about one fault since `began`, and how often it came back without a line."""

    record: logging.LogRecord
    began: float
    unsaid: int = 0


class FaultHandler(logging.StreamHandler[TextIO]):
    """Writes lines to the standard error.

    An outage is one line without a traceback, however many requests meet it within a minute; how many they
    were is told afterwards. Any other error has its traceback once a minute and is a line each time. A line
    that cannot be written, on a full disk or into a closed pipe, is counted and never raises.
    """

    def __init__(self) -> None:
        # NB: below what keeps standard error from failing, as lost lines are counted here.
        super().__init__(getattr(sys.stderr, "_stream", sys.stderr))
        self._faults: dict[tuple[object, ...], ToldFault] = {}
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            lines = [*self._over(), *self._said(record)]
            if self._lost and lines:
                lines.insert(0, self.format(_lost(self._lost)))
            for line in lines:
                self.stream.write(SECRETS.sub(r"\1…", line) + self.terminator)
            self.flush()
        except OSError:
            self._lost += 1
        except Exception:  # a record whose arguments do not fit its message: a fault of whoever wrote it
            with suppress(OSError, ValueError):
                self.handleError(record)
        else:
            self._lost = 0 if lines else self._lost

    def _over(self) -> Iterator[str]:
        """Yield a line for each fault whose minute is over and that came more often than was said."""
        now = time.monotonic()
        for key, fault in list(self._faults.items()):
            if now - fault.began >= WINDOW_SECONDS:
                del self._faults[key]
                if fault.unsaid:
                    again = f"[and {fault.unsaid} times more within {WINDOW_SECONDS:.0f} s]"
                    yield self.format(_saying(fault.record, f"{fault.record.getMessage()} {again}"))

    def _said(self, record: logging.LogRecord) -> Iterator[str]:
        error = record.exc_info[1] if record.exc_info else None
        key = _key(record, error)
        if key is None:
            yield self.format(record)
            return
        is_outage = error is None or is_away(error)
        known = self._faults.get(key)
        if known is not None and is_outage:
            known.unsaid += 1
            return
        told = record
        if error is not None and (is_outage or known is not None):
            told = _saying(record, f"{record.getMessage()}: {_in_a_line(error)}")
        if known is None:
            self._faults[key] = ToldFault(_saying(told, told.getMessage()), time.monotonic())
        yield self.format(told)


def _saying(record: logging.LogRecord, message: str) -> logging.LogRecord:
    """Return a record that says something else, without a traceback; other handlers see the first one."""
    told = copy.copy(record)
    told.msg, told.args = message, ()
    told.exc_info = told.exc_text = None
    return told


def _lost(number: int) -> logging.LogRecord:
    message = f"{number} lines of this log could not be written."
    return logging.LogRecord(__name__, logging.WARNING, "", 0, message, (), None)


def _key(record: logging.LogRecord, error: BaseException | None) -> tuple[object, ...] | None:
    """Return what two records about one fault have in common, None for what is no fault."""
    if error is None:
        is_chatty = record.name.partition(".")[0] in CHATTY and record.levelno >= logging.WARNING
        return (record.name, record.msg) if is_chatty else None
    frames = traceback.extract_tb(error.__traceback__)
    place = (frames[-1].filename, frames[-1].lineno) if frames else ()
    return (record.name, type(error), *(() if is_away(error) else place))


def is_away(error: BaseException | None) -> bool:
    """Tell whether an error, or one that caused it, is of a server or disk and says nothing of our code."""
    while error is not None:
        if isinstance(error, RedisError | BrokerError) or database.is_away(error):
            return True
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_a_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
