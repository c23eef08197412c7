"""Read an endpoint's answer: either labels that exist, or what is wrong with it. Nothing is guessed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from training.llm.client import Completion
from training.storable import whole
from training.types import Json, LabelSchema


class LlmOutcome(StrEnum):
    """What became of a question."""

    ANSWERED = "answered"
    REFUSED = "refused"
    EMPTY = "empty"
    CUT = "cut short"
    PROSE = "prose around JSON"
    NOT_JSON = "not JSON"
    WRONG_SHAPE = "another shape"
    UNKNOWN_LABEL = "a label that does not exist"
    REJECTED = "text rejected"
    FAILED = "endpoint failed"


# Outcomes where it helps to tell the LLM what is wrong. A refusal stands; a cut answer would be cut again.
REPAIRABLE = {
    LlmOutcome.EMPTY,
    LlmOutcome.PROSE,
    LlmOutcome.NOT_JSON,
    LlmOutcome.WRONG_SHAPE,
    LlmOutcome.UNKNOWN_LABEL,
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Label keys in schema order, none unless `outcome` is ANSWERED; else `problem` is a sentence."""

    outcome: LlmOutcome
    labels: tuple[str, ...] = ()
    problem: str = ""


def parse(completion: Completion, schema: LabelSchema) -> Parsed:
    """Return what the answer says in the labels of `schema`."""
    if completion.refusal.strip():
        return Parsed(LlmOutcome.REFUSED, problem="The model refused to answer.")
    if completion.is_cut:
        return Parsed(LlmOutcome.CUT, problem="The answer ran into the limit of its tokens.")
    text = completion.text.strip()
    if not text:
        return Parsed(LlmOutcome.EMPTY, problem="The answer was empty.")
    try:
        content = json.loads(text, object_pairs_hook=_unambiguous, parse_int=whole)
    except _Twice:
        return Parsed(LlmOutcome.WRONG_SHAPE, problem="A field of the object was there twice.")
    except (ValueError, RecursionError):
        if "{" in text:
            return Parsed(LlmOutcome.PROSE, problem="There was something else around the JSON object.")
        return Parsed(LlmOutcome.NOT_JSON, problem="The answer was not JSON.")
    try:
        names = schema.task.read_reply(content)
    except ValueError as error:
        return Parsed(LlmOutcome.WRONG_SHAPE, problem=str(error))
    known = {label.name: label.key for label in schema.labels}
    if unknown := [name for name in names if name not in known]:
        return Parsed(LlmOutcome.UNKNOWN_LABEL, problem=f"There is no label {unknown[0][:80]!r}.")
    chosen = {known[name] for name in names}
    return Parsed(LlmOutcome.ANSWERED, tuple(key for key in schema.keys if key in chosen))


class _Twice(Exception):
    """Raised for an object that has a field twice, because JSON does not say which one counts."""


def _unambiguous(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _Twice
    return dict(pairs)
