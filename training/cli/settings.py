"""`--set key=value`: values are JSON where they can be read so, else text."""

from __future__ import annotations

import json
from collections.abc import Iterable

from training.types import Json, TrainingError


def parse_settings(pairs: Iterable[str]) -> dict[str, Json]:
    """Return the parameters of `key=value` arguments."""
    settings: dict[str, Json] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise TrainingError(f"--set needs key=value, not {pair!r}.")
        try:
            settings[key] = json.loads(value)
        except ValueError:
            settings[key] = value
    return settings
