"""What can go wrong with an endpoint. Each message is a sentence, and none contains the API key."""

from __future__ import annotations

from typing import ClassVar

from training.types import TrainingError


class LlmError(TrainingError):
    """A question that was not answered; the caller may go on with the next text.

    `may_pass`: asking again may help, but not before `after` seconds, as the endpoint said.
    `may_cost`: the endpoint received the question and may charge for it although it gave no answer.
    """

    may_pass: ClassVar[bool] = False
    may_cost: ClassVar[bool] = False

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class TooSlow(LlmError):
    """No complete answer came in time."""

    may_pass = may_cost = True


class ServerFailed(LlmError):
    """The endpoint answered with a failure of its own (5xx)."""

    may_pass = True


class Garbled(LlmError):
    """The answer does not follow the chat completions protocol."""

    may_cost = True


class RequestRejected(LlmError):
    """The endpoint refuses this question, for example because of its length or its content."""


class Unusable(LlmError):
    """No further question will be answered either: the address, the key or the model is wrong."""


class Away(Unusable):
    """No server answers at the address."""

    may_pass = True


class Dropped(Away):
    """The connection broke after the question was sent."""

    may_cost = True


class RateLimited(Unusable):
    """The endpoint limits the rate of questions, and asks for a longer wait than makes sense."""

    may_pass = True


class BudgetSpent(LlmError):
    """The next question could cost more than is left."""


class Stopped(LlmError):
    """The caller ended the asking, not the endpoint."""
