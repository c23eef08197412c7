"""What a line of the log says beside its message: the request that it belongs to, and the work on a row."""

from __future__ import annotations

import re
import secrets
from contextlib import AbstractContextManager

from structlog import contextvars

REQUEST_ID = "request_id"
WORK = "work"
# Of a message to a worker, beside the headers of Celery.
MESSAGE_HEADER = "winnow_request_id"
# What a proxy may call a request: nothing that ends a line or its quotes.
PLAIN_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def new_request_id() -> str:
    return secrets.token_hex(8)


def bound(**values: str) -> AbstractContextManager[None]:
    """Have each line that is logged inside tell these values."""
    return contextvars.bound_contextvars(**values)


def begin(request_id: str) -> None:
    """Tell from now on the request that this comes from, none where the id is empty, and nothing older."""
    contextvars.clear_contextvars()
    if request_id:
        contextvars.bind_contextvars(**{REQUEST_ID: request_id})


def told() -> dict[str, str]:
    """Return the values of the lines that are logged here, in the order of their names."""
    return dict(sorted(contextvars.get_contextvars().items()))


def message_headers() -> dict[str, str]:
    """Return what a message to a worker carries, so that its lines name the request that began the work."""
    known = told().get(REQUEST_ID)
    return {MESSAGE_HEADER: known} if known else {}
