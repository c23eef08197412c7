"""How a run differs from its family's usual one: by its parameters, its teacher, its encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from training.registry import FAMILIES

TUNED = "tuned"  # in place of an encoder's name: the one that is tuned on this project's own labels
LONGEST = 120  # characters of a variant's name
# These names mean the same in every stored config, so no parameter of a family may have one of them.
RESERVED = ("teacher", "encoder", "prepare")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run does otherwise than the family's usual one.

    `TrainingRun.config` stores it, and `Project.family_options` for each family that trains by itself: as
    one flat object, the family's parameters beside the other three. `teacher` is the family whose version
    labels the pool for this one to learn from. `encoder` is a checkpoint's name, or TUNED; with `prepare`,
    the run first makes that encoder and all of the project's vectors, which takes minutes.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    teacher: str = ""
    encoder: str = ""
    prepare: bool = False

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Self:
        """Read a stored config; whatever is not known here is a parameter of the family."""
        return cls(
            parameters={name: value for name, value in content.items() if name not in RESERVED},
            teacher=str(content.get("teacher") or ""),
            encoder=str(content.get("encoder") or ""),
            prepare=bool(content.get("prepare")),
        )

    def dump(self) -> dict[str, Any]:
        """Return the config as it is stored: without what is as usual."""
        own = {name: getattr(self, name) for name in RESERVED}
        return {**self.parameters, **{name: value for name, value in own.items() if value}}

    @property
    def prepares(self) -> bool:
        """Whether an encoder or a teacher has to do its work before the fit."""
        return self.prepare or bool(self.teacher)

    def lasting(self) -> RunConfig:
        """Return what later runs follow once a version is published: its encoder is ready by then."""
        return replace(self, prepare=False)


@dataclass(frozen=True, slots=True)
class Variant:
    """A family with a config: its runs follow each other, and each version takes the place of the last."""

    family: str
    config: RunConfig = field(default_factory=RunConfig)

    @property
    def name(self) -> str:
        """The words that tell it from the family's other variants, "" for the usual one."""
        if self.family not in FAMILIES:
            return ""
        usual = FAMILIES[self.family].usual
        words = []
        for parameter, value in sorted(self.config.parameters.items()):
            if parameter not in usual:
                words.append(f"{parameter} {value}")
            elif value != usual[parameter]:
                # What is chosen from a list is understood without the parameter's name.
                words.append(str(value))
        if self.config.encoder:
            words.append(f"{self.config.encoder} encoder")
        if self.config.teacher:
            words.append(f"taught by {self.config.teacher}")
        name = ", ".join(words)
        if len(name) <= LONGEST:
            return name
        # The digest still tells two variants apart whose long names begin alike.
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return f"{name[: LONGEST - len(digest) - 1]}…{digest}"

    @property
    def is_slow(self) -> bool:
        """Whether a run takes minutes: by its family, its teacher's, or an encoder to be made."""
        teacher = self.config.teacher
        # A teacher that is no family is a cascade, which may have a slow part.
        is_taught_slowly = bool(teacher) and (teacher not in FAMILIES or FAMILIES[teacher].is_slow)
        is_slow_itself = self.family in FAMILIES and FAMILIES[self.family].is_slow
        return self.config.prepare or is_taught_slowly or is_slow_itself

    @property
    def columns(self) -> dict[str, Any]:
        """What the rows of its runs have in common."""
        return {"family": self.family, "variant": self.name, "is_slow": self.is_slow}
