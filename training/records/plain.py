"""Values of other libraries as values that JSON can hold."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta

from training.types import Json


def plain(value: Json) -> Json:
    """Return a value that JSON can hold: dates in ISO 8601, whole floats as integers, NaN as None."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return str(value) if not isinstance(value, timedelta) else value.total_seconds()
