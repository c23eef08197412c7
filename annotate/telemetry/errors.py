"""Errors, to Sentry or a server that speaks its protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import sentry_sdk

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

KEPT = (
    "event_id",
    "timestamp",
    "level",
    "platform",
    "logger",
    "transaction",
    "server_name",
    "release",
    "sdk",
)
KEPT_OF_FRAME = ("filename", "abs_path", "module", "function", "lineno", "in_app")


def start(address: str) -> None:
    sentry_sdk.init(
        dsn=address,
        before_send=without_texts,
        send_default_pii=False,
        include_local_variables=False,
        include_source_context=False,
        max_request_body_size="never",
        max_breadcrumbs=0,  # they are lines of the log, the security log's among them
    )


def without_texts(event: Event, hint: Hint) -> Event:
    """Return what is told of an error: where it happened and of which type, not what it says.

    A message quotes what it is about, as PostgreSQL's the row that it refused. Of a line of the log the
    pattern is told, without the values in it.
    """
    given = cast(dict[str, Any], event)
    told = {name: given[name] for name in KEPT if name in given}
    if pattern := given.get("logentry", {}).get("message"):
        told["logentry"] = {"message": pattern}
    told["exception"] = {"values": [_place(one) for one in given.get("exception", {}).get("values", ())]}
    return cast("Event", told)


def _place(error: dict[str, Any]) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames", ())
    kept = [{name: frame[name] for name in KEPT_OF_FRAME if name in frame} for frame in frames]
    return {"type": error.get("type"), "module": error.get("module"), "stacktrace": {"frames": kept}}
