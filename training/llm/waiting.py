"""How long an endpoint asks to wait by its `Retry-After` header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def asked_for(header: str, now: datetime | None = None) -> float:
    """Return the seconds to wait, 0 where the header is missing, past or unreadable."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    return seconds if 0 < seconds < float("inf") else 0.0
