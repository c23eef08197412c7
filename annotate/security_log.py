"""What an administrator looks for after a break-in, on the logger `winnow.security`: one line an event."""

from __future__ import annotations

import json
import logging

logger = logging.getLogger("winnow.security")

LONGEST = 150  # characters of a value


def record(event: str, **details: object) -> None:
    """Log an event with what is known of it. No secret is ever passed here.

    Values come from people whom nobody has let in yet, so a value can neither end its line, nor its quotes,
    nor turn the direction of what follows.
    """
    told = " ".join(f"{name}={_quoted(value)}" for name, value in details.items())
    logger.info("%s %s", event, told)


def _quoted(value: object) -> str:
    text = "" if value is None else str(value)[:LONGEST]
    plain = "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
    return json.dumps(plain, ensure_ascii=False)
