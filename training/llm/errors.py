"""What can go wrong between here and an endpoint. Each message is a sentence, and none holds the key."""

from __future__ import annotations

from typing import ClassVar

from training.types import TrainingError


class LlmError(TrainingError):
    """A question that was not answered; a file or a batch may go on with the next text.

    `may_pass`: asking again may help, no sooner than in `after` seconds, which the endpoint named.
    `may_cost`: the endpoint took the question, and may charge for it all the same.
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
    """The endpoint's answer is not one of the chat completions protocol."""

    may_cost = True


class RequestRejected(LlmError):
    """The endpoint does not take this question, as for its length or for what the text says."""


class Unusable(LlmError):
    """No further question will be answered either: the address, the key or the model is wrong."""


class Away(Unusable):
    """Nobody answers at the address."""

    may_pass = True


class Dropped(Away):
    """The connection broke while the endpoint had the question."""

    may_cost = True


class RateLimited(Unusable):
    """The endpoint turns questions away for longer than it makes sense to wait."""

    may_pass = True


class BudgetSpent(LlmError):
    """The next question could cost more than is left."""


class Stopped(LlmError):
    """Asking was ended, here and not by the endpoint."""
