"""Answers for single texts from the cache or the endpoint, with one chance to repair an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from training.llm.budget import BudgetMeter, Call
from training.llm.cache import AnswerCache, answer_key
from training.llm.client import Attempt, Completion, Endpoint, Message
from training.llm.errors import BudgetSpent, LlmError, RequestRejected, Stopped, Unusable
from training.llm.parse import REPAIRABLE, LlmOutcome, Parsed, parse
from training.llm.prompt import Prompt, check_names
from training.types import Json

_FAILURES_IN_A_ROW = 3  # after so many the endpoint counts as broken


class Asks(Protocol):
    """What sends a question: `client.Chat`, or a stand-in of a test."""

    @property
    def endpoint(self) -> Endpoint: ...

    def ask(
        self, messages: Sequence[Message], schema: Json, charge: Callable[[Attempt], Completion]
    ) -> Completion: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class LlmReply:
    """The answer for one text and the `calls` that it took.

    An answer that `is_reused` took none: an equal question about an equal text had been answered before.
    """

    outcome: LlmOutcome
    labels: tuple[str, ...] = ()
    note: str = ""
    calls: tuple[Call, ...] = ()
    is_reused: bool = False

    @property
    def cost(self) -> float:
        """What the calls of this answer cost together."""
        return sum(call.cost for call in self.calls)

    @property
    def seconds(self) -> float:
        """How many seconds its calls took together."""
        return sum(call.seconds for call in self.calls)


class Labeller:
    """Asks about texts. An error that concerns one text becomes its outcome; one that ends the run is raised.

    Several threads may `ask` at once. Only the thread that opened the cache may call `kept` and `keep`.
    """

    def __init__(self, chat: Asks, meter: BudgetMeter, cache: AnswerCache | None = None) -> None:
        self._chat = chat
        self._meter = meter
        self._cache = cache
        self._failures = _Failures()

    def key(self, text: str, prompt: Prompt) -> str:
        """Return the key of a question, which equal questions share."""
        check_names(prompt.schema)
        endpoint = self._chat.endpoint
        return answer_key(endpoint.url, endpoint.model, prompt.digest, endpoint.options, text)

    def kept(self, key: str) -> LlmReply | None:
        """Return the kept answer to the question, or None."""
        labels = self._cache.get(key) if self._cache else None
        return None if labels is None else LlmReply(LlmOutcome.ANSWERED, labels, is_reused=True)

    def keep(self, key: str, answer: LlmReply) -> None:
        """Keep a good answer. Others are not kept, because a later run may get a better one."""
        if answer.outcome is LlmOutcome.ANSWERED and self._cache:
            self._cache.put(key, answer.labels)

    def ask(self, text: str, prompt: Prompt) -> LlmReply:
        """Return the endpoint's answer.

        Raises `BudgetSpent` before a call that could pass a limit, `Stopped` after `stop`, and another
        `LlmError` where the endpoint is of no use any more.
        """
        messages, before = prompt.messages(text), self._failures.now()
        calls: list[Call] = []
        try:
            completion, parsed = self._ask(messages, prompt, calls)
        except (BudgetSpent, Stopped, Unusable):
            raise
        except LlmError as error:
            if self._failures.add(before) >= _FAILURES_IN_A_ROW:
                raise
            outcome = LlmOutcome.REJECTED if isinstance(error, RequestRejected) else LlmOutcome.FAILED
            return LlmReply(outcome, note=str(error), calls=tuple(calls))
        self._failures.end()
        if parsed.outcome in REPAIRABLE:
            # NB: some servers refuse empty turns, so an empty answer is not repeated to them.
            said = [{"role": "assistant", "content": completion.text}] if completion.text else []
            wrong = f"{parsed.problem} Answer again with the JSON object alone, as the instructions say."
            repair = [*messages, *said, {"role": "user", "content": wrong}]
            # An error that prevents the repair ends the run with the next text; this one is paid for.
            with suppress(LlmError):
                parsed = self._ask(repair, prompt, calls)[1]
        return LlmReply(parsed.outcome, parsed.labels, parsed.problem, tuple(calls))

    def stop(self) -> None:
        """End all waits and send no further question; questions under way are still answered."""
        self._chat.stop()

    def _ask(self, messages: list[Message], prompt: Prompt, calls: list[Call]) -> tuple[Completion, Parsed]:
        schema, options = prompt.answer_schema(), self._chat.endpoint.options

        def charge(attempt: Attempt) -> Completion:
            return self._meter.charge(attempt, messages, schema, options, calls)

        completion = self._chat.ask(messages, schema, charge)
        return completion, parse(completion, prompt.schema)


class _Failures:
    """Counts failures in a row. Questions that were under way together count once, as they had one cause."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows, self._failed = 0, 0

    def now(self) -> tuple[int, int]:
        """Return the number of the present row of failures, and its length."""
        with self._lock:
            return self._rows, self._failed

    def add(self, before: tuple[int, int]) -> int:
        """Count the failure of a question asked when `now` returned `before`; return the row's length."""
        with self._lock:
            row, failed = before
            self._failed = max(self._failed, failed + 1 if row == self._rows else 1)
            return self._failed

    def end(self) -> None:
        """Begin a new row of failures, because an answer came."""
        with self._lock:
            self._rows, self._failed = self._rows + 1, 0
