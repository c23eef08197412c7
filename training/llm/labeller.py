"""One text, one answer: from the cache, from the endpoint, after one repair, or none at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from training.llm.budget import Call, Meter
from training.llm.cache import AnswerCache, answer_key
from training.llm.client import Completion, Endpoint, Message
from training.llm.errors import BudgetSpent, LlmError, Unusable
from training.llm.parse import REPAIRABLE, Outcome, Parsed, parse
from training.llm.prompt import Prompt, check_names
from training.types import Json

_FAILURES_IN_A_ROW = 3  # then the endpoint is taken to be broken


class Asks(Protocol):
    """What answers questions: `client.Chat`, or a test's own."""

    @property
    def endpoint(self) -> Endpoint: ...

    def ask(self, messages: Sequence[Message], schema: Json) -> Completion: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known of one text. `calls` are those it took, none where the answer was kept from before."""

    outcome: Outcome
    labels: tuple[str, ...] = ()
    note: str = ""
    calls: tuple[Call, ...] = ()

    @property
    def cost(self) -> float:
        """What this answer cost now."""
        return sum(call.cost for call in self.calls)

    @property
    def seconds(self) -> float:
        """How long its calls took."""
        return sum(call.seconds for call in self.calls)


class Labeller:
    """Answers texts one by one. What ends a whole run is raised, what concerns one text is its outcome."""

    def __init__(self, chat: Asks, meter: Meter, cache: AnswerCache | None = None) -> None:
        self._chat = chat
        self._meter = meter
        self._cache = cache
        self._failures = 0

    def answer(self, text: str, prompt: Prompt) -> Answer:
        """Return the answer to `prompt` about `text`.

        Raises `BudgetSpent` before a call that could pass a limit, and an `LlmError` where the endpoint is
        of no use any more.
        """
        check_names(prompt.schema)
        endpoint = self._chat.endpoint
        key = answer_key(endpoint.model, prompt.digest, endpoint.options, text)
        kept = self._cache.get(key) if self._cache else None
        if kept is not None:
            return Answer(Outcome.ANSWERED, kept)
        found = self._asked(text, prompt)
        if found.outcome is Outcome.ANSWERED and self._cache:
            self._cache.put(key, found.labels)
        return found

    def _asked(self, text: str, prompt: Prompt) -> Answer:
        messages = prompt.messages(text)
        calls: list[Call] = []
        try:
            completion, parsed = self._ask(messages, prompt, calls)
        except (BudgetSpent, Unusable):
            raise
        except LlmError as error:
            self._failures += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                raise
            return Answer(Outcome.FAILED, note=str(error))
        self._failures = 0
        if parsed.outcome in REPAIRABLE:
            # What keeps a repair from being asked ends the run with the next text; this one is paid for.
            with suppress(LlmError):
                parsed = self._ask(_repair(messages, completion, parsed), prompt, calls)[1]
        return Answer(parsed.outcome, parsed.labels, parsed.problem, tuple(calls))

    def _ask(self, messages: list[Message], prompt: Prompt, calls: list[Call]) -> tuple[Completion, Parsed]:
        schema = prompt.answer_schema()
        self._meter.allow(messages, schema, self._chat.endpoint.options)
        completion = self._chat.ask(messages, schema)
        calls.append(self._meter.record(completion, messages, schema))
        return completion, parse(completion, prompt.schema)


def _repair(messages: list[Message], completion: Completion, parsed: Parsed) -> list[Message]:
    """Return the conversation with the answer and what is wrong with it. Some servers refuse empty turns."""
    said: list[Message] = [{"role": "assistant", "content": completion.text}] if completion.text else []
    wrong = f"{parsed.problem} Answer again with the JSON object alone, as the instructions say."
    return [*messages, *said, {"role": "user", "content": wrong}]
