"""What questions cost, and the stop before they cost more than was allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from training.llm.client import Completion, Message
from training.llm.errors import BudgetSpent
from training.types import Json, TrainingError


@dataclass(frozen=True, slots=True)
class Prices:
    """The price of a million tokens sent and of a million received, in one currency of your own."""

    input: float = 0.0
    output: float = 0.0

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the cost of one call."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Call:
    """One answered call. Where `is_bound`, the endpoint counted no tokens and bytes stand for them."""

    input_tokens: int
    output_tokens: int
    seconds: float
    cost: float
    is_bound: bool = False


@dataclass(slots=True)
class Meter:
    """Adds up calls; None is no limit. A limit is never passed: a call that could is not made."""

    prices: Prices = field(default_factory=Prices)
    max_cost: float | None = None
    max_tokens: int | None = None
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.max_cost is not None and not (self.prices.input or self.prices.output):
            raise TrainingError("A limit of the cost needs prices; set them, or limit the tokens.")

    @property
    def tokens(self) -> int:
        """All tokens so far, sent and received."""
        return sum(call.input_tokens + call.output_tokens for call in self.calls)

    @property
    def cost(self) -> float:
        """What all calls so far cost."""
        return sum(call.cost for call in self.calls)

    def allow(self, messages: Sequence[Message], schema: Json, options: Mapping[str, Json]) -> None:
        """Raise `BudgetSpent` where this call could go over a limit. A token is at least one byte."""
        if self.max_tokens is None and self.max_cost is None:
            return
        sent, received = _bytes(messages) + _bytes(schema), _longest(options)
        if self.max_tokens is not None and self.tokens + sent + received > self.max_tokens:
            raise BudgetSpent(
                f"{self.tokens:,} of {self.max_tokens:,} tokens are spent, and the next question may take "
                f"{sent + received:,}. Raise the limit to go on."
            )
        if self.max_cost is not None and self.cost + self.prices.of(sent, received) > self.max_cost:
            raise BudgetSpent(
                f"{self.cost:.4f} of {self.max_cost:.4f} is spent, and the next question may cost "
                f"{self.prices.of(sent, received):.4f}. Raise the limit to go on."
            )

    def record(self, completion: Completion, messages: Sequence[Message], schema: Json) -> Call:
        """Add a call by the endpoint's own count, else by the bytes, which are never fewer than tokens."""
        sent, received = completion.input_tokens, completion.output_tokens
        is_bound = sent is None or received is None
        if sent is None:
            sent = _bytes(messages) + _bytes(schema)
        if received is None:
            received = len(completion.text.encode())
        cost = self.prices.of(sent, received)
        call = Call(sent, received, completion.seconds, cost, is_bound)
        self.calls.append(call)
        return call

    def latency(self, share: float) -> float | None:
        """Return the quantile of the seconds that calls took, None before the first."""
        return float(np.quantile([call.seconds for call in self.calls], share)) if self.calls else None


def _bytes(content: Json) -> int:
    return len(json.dumps(content, ensure_ascii=False, default=dict).encode("utf-8", "surrogatepass"))


def _longest(options: Mapping[str, Json]) -> int:
    """Return the most tokens of an answer; without that no budget could be kept."""
    for name in ("max_tokens", "max_completion_tokens"):
        if isinstance(options.get(name), int):
            return int(options[name])
    raise TrainingError("A budget needs a limit for each answer: set max_tokens among the options.")
