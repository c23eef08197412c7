"""What questions cost, and the stop before they cost more than was allowed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from training.llm.client import Attempt, Completion, Message
from training.llm.errors import BudgetSpent, LlmError
from training.types import Json, TrainingError


@dataclass(frozen=True, slots=True)
class Prices:
    """The price of a million tokens sent and of a million received, in one currency of your own."""

    input: float = 0.0
    output: float = 0.0

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return the cost of a call in the currency of the prices."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Call:
    """One call. Where `is_bound`, the endpoint counted no tokens, and bytes are an upper bound of them."""

    input_tokens: int
    output_tokens: int
    seconds: float
    cost: float
    is_bound: bool = False


@dataclass(slots=True)
class BudgetMeter:
    """Adds up the calls of all threads. A call that could pass a limit is not made; None means no limit."""

    prices: Prices = field(default_factory=Prices)
    max_cost: float | None = None
    max_tokens: int | None = None
    calls: list[Call] = field(default_factory=list, init=False)
    tokens: int = field(default=0, init=False)  # sent and received
    cost: float = field(default=0.0, init=False)
    _under_way: list[Call] = field(default_factory=list, init=False, repr=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_cost is not None and not (self.prices.input or self.prices.output):
            raise TrainingError("A limit of the cost needs prices; set them, or limit the tokens.")

    def charge(
        self,
        attempt: Attempt,
        messages: Sequence[Message],
        schema: Json,
        options: Mapping[str, Json],
        calls: list[Call],
    ) -> Completion:
        """Return what `attempt` answers, and add the call here and to `calls`.

        The most that the call may take is reserved until it ends. Where the rest of the budget is too small,
        this waits for calls under way to give back what they did not need, and raises `BudgetSpent` if none
        is under way. A call that broke off after it was sent counts with all that was reserved for it,
        because the endpoint may charge for it.
        """
        started = time.monotonic()
        limits = (options.get(name) for name in ("max_tokens", "max_completion_tokens"))
        longest = next((limit for limit in limits if isinstance(limit, int)), None)
        if longest is None and (self.max_tokens is not None or self.max_cost is not None):
            raise TrainingError("A budget needs a limit for each answer: set max_tokens among the options.")
        # The call cannot take more than this: a token is at least a byte, and the answer is limited.
        most = self._call(_bytes(messages) + _bytes(schema), int(longest or 0), 0.0, is_bound=True)
        with self._held_back(most):
            try:
                completion = attempt()
            except LlmError as error:
                if error.may_cost:
                    taken = (most.input_tokens, most.output_tokens)
                    self._add(self._call(*taken, time.monotonic() - started, is_bound=True), calls)
                raise
            # Where the endpoint does not count tokens, bytes stand in their place as an upper bound.
            sent, received = completion.input_tokens, completion.output_tokens
            call = self._call(
                most.input_tokens if sent is None else sent,
                len(completion.text.encode()) if received is None else received,
                completion.seconds,
                is_bound=sent is None or received is None,
            )
            self._add(call, calls)
        return completion

    @contextmanager
    def _held_back(self, most: Call) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._fits(most) or not self._under_way)
            if not self._fits(most):
                tokens = most.input_tokens + most.output_tokens
                if self.max_tokens is not None and self.tokens + tokens > self.max_tokens:
                    spent, wanted = f"{self.tokens:,} of {self.max_tokens:,} tokens are", f"take {tokens:,}"
                else:
                    spent, wanted = f"{self.cost:.4f} of {self.max_cost:.4f} is", f"cost {most.cost:.4f}"
                raise BudgetSpent(
                    f"{spent} spent, and the next question may {wanted}. Raise the limit to go on."
                )
            self._under_way.append(most)
        try:
            yield
        finally:
            with self._changed:
                self._under_way.remove(most)
                self._changed.notify_all()

    def _fits(self, most: Call) -> bool:
        calls = [*self._under_way, most]
        tokens = self.tokens + sum(call.input_tokens + call.output_tokens for call in calls)
        cost = self.cost + sum(call.cost for call in calls)
        return not (
            (self.max_tokens is not None and tokens > self.max_tokens)
            or (self.max_cost is not None and cost > self.max_cost)
        )

    def _call(self, sent: int, received: int, seconds: float, *, is_bound: bool) -> Call:
        return Call(sent, received, seconds, self.prices.of(sent, received), is_bound)

    def _add(self, call: Call, calls: list[Call]) -> None:
        calls.append(call)
        with self._changed:
            self.calls.append(call)
            self.tokens += call.input_tokens + call.output_tokens
            self.cost += call.cost

    def latency(self, share: float) -> float | None:
        """Return the quantile of the seconds that calls took, None before the first."""
        return float(np.quantile([call.seconds for call in self.calls], share)) if self.calls else None


def _bytes(content: Json) -> int:
    return len(json.dumps(content, ensure_ascii=False, default=dict).encode("utf-8", "surrogatepass"))
