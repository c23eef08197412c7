"""What can go wrong between here and an endpoint. Each message is a sentence, and none holds the key."""

from __future__ import annotations

from training.types import TrainingError


class LlmError(TrainingError):
    """A question that was not answered; a file or a batch may go on with the next text."""


class TooSlow(LlmError):
    """No complete answer came in time."""


class ServerFailed(LlmError):
    """The endpoint answered with a failure of its own (5xx)."""


class Garbled(LlmError):
    """The endpoint's answer is not one of the chat completions protocol."""


class Unusable(LlmError):
    """No further question will be answered either: the address, the key or the model is wrong, or away."""


class RateLimited(Unusable):
    """The endpoint turns questions away for longer than it makes sense to wait."""


class BudgetSpent(LlmError):
    """The next question could cost more than is left."""
