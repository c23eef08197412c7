"""How a run differs from its family's usual one: by its parameters, its teacher, its encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from training.registry import FAMILIES

TEACHER = "teacher"  # the family whose version labels the pool for this one to learn from
ENCODER = "encoder"  # a checkpoint's name, or TUNED
TUNED = "tuned"  # the encoder tuned on this project's own labels
PREPARE = "prepare"  # make the encoder and all its vectors first: that takes minutes
LONGEST = 120  # characters of a variant's name
_NOT_OF_THE_FAMILY = (TEACHER, ENCODER, PREPARE)

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
    usual = FAMILIES[family].usual
    words = []
    for parameter, value in sorted(parameters(config).items()):
        if parameter not in usual:
            words.append(f"{parameter} {value}")
        elif value != usual[parameter]:
            words.append(str(value))  # what is chosen from a list is understood without the parameter's name
    if config.get(ENCODER):
        words.append(f"{config[ENCODER]} encoder")
    if config.get(TEACHER):
        words.append(f"taught by {config[TEACHER]}")
    return _shortened(", ".join(words))


def _shortened(words: str) -> str:
    """Return words that fit the column; what is cut off still tells one variant from another."""
    if len(words) <= LONGEST:
        return words
    digest = hashlib.sha256(words.encode()).hexdigest()[:8]
    return f"{words[: LONGEST - len(digest) - 1]}…{digest}"


def is_slow(family: str, config: Config) -> bool:
    """Tell whether a run takes minutes: by its family, its teacher's, or an encoder to be made."""
    teacher = config.get(TEACHER)
    # A teacher that is no family is a cascade, which may have a slow part.
    is_taught_slowly = bool(teacher) and (teacher not in FAMILIES or FAMILIES[teacher].is_slow)
    return bool(config.get(PREPARE)) or is_taught_slowly or (family in FAMILIES and FAMILIES[family].is_slow)


def prepares(config: Config) -> bool:
    """Tell whether an encoder or a teacher has to do its work before the fit."""
    return bool(config.get(PREPARE) or config.get(TEACHER))


def lasting(config: Config) -> dict[str, Any]:
    """Return the config with which later runs follow one that was published: its encoder is ready by then."""
    return {name: value for name, value in config.items() if name != PREPARE}
