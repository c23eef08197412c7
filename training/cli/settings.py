"""Settings of what is trained: `--set key=value`, and what thresholds are tuned for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from training.types import Json, Objective, TrainingError


def parse_settings(pairs: Iterable[str]) -> dict[str, Json]:
    """Return the parameters of `key=value` arguments, whose values are JSON where that can be read."""
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


def add_objective_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the thresholds of a multi-label task are tuned for."""
    parser.add_argument("--objective", type=Objective, choices=list(Objective), default=Objective.F1)
    parser.add_argument(
        "--objective-value", type=float, default=1.0, metavar="X", help="beta, or the precision"
    )
