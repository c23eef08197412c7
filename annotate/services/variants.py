"""How a run differs from its family's usual one: by its parameters, its teacher, its encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.registry import FAMILIES

TEACHER = "teacher"  # the family whose version labels the pool for this one to learn from
ENCODER = "encoder"  # a checkpoint's name, or TUNED
TUNED = "tuned"  # the encoder tuned on this project's own labels
PREPARE = "prepare"  # make the encoder and all its vectors first: that takes minutes
_NOT_OF_THE_FAMILY = (TEACHER, ENCODER, PREPARE)
_TELLING = ("head", "imbalance")  # parameters whose values need no name beside them

Config = Mapping[str, Any]


def parameters(config: Config) -> dict[str, Any]:
    """Return what the family's constructor gets of a run's config."""
    return {name: value for name, value in config.items() if name not in _NOT_OF_THE_FAMILY}


def name(family: str, config: Config) -> str:
    """Return the words that tell a variant from the family's others, "" for the usual one.

    Versions of one family and one variant follow each other; all others are compared side by side.
    """
    if family not in FAMILIES:
        return ""
    usual = FAMILIES[family].choices
    words = []
    for parameter, value in sorted(parameters(config).items()):
        if parameter in usual and value == usual[parameter][0]:
            continue
        words.append(str(value) if parameter in _TELLING else f"{parameter} {value}")
    if config.get(ENCODER):
        words.append(f"{str(config[ENCODER]).rpartition('/')[2]} encoder")
    if config.get(TEACHER):
        words.append(f"taught by {config[TEACHER]}")
    return ", ".join(words)[:120]


def is_slow(family: str, config: Config) -> bool:
    """Tell whether a run takes minutes: by its family, its teacher's, or an encoder to be made."""
    families = (family, config.get(TEACHER))
    return bool(config.get(PREPARE)) or any(key in FAMILIES and FAMILIES[key].slow for key in families)


def lasting(config: Config) -> dict[str, Any]:
    """Return the config with which later runs follow one that was published: its encoder is ready by then."""
    return {name: value for name, value in config.items() if name != PREPARE}
