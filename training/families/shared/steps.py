"""A step of a fine-tuning in parts that take a second each at most, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from training.types import TrainingError

PartLoss = Callable[[slice], torch.Tensor]
"""Takes which windows of a batch, and returns what these add to the loss of the whole batch."""

_TELL_SECONDS = 1.0


class FitReporter:
    """Tells the share done at most once a second, so that asking after every step costs nothing."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._told = 0.0
        self.done = 0.0

    def __call__(self) -> None:
        """Tell the share done. What the receiver raises, as when the run was cancelled, ends the run."""
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            self._tell(self.done)


class Diverged(Exception):
    """The loss or its gradient is no longer a number."""


class Stepper:
    """Leaves the gradients of a batch's loss in the network, whatever the parts it is computed in."""

    def __init__(self, network: nn.Module, tokens_a_second: int) -> None:
        self.network = network
        self.device = next(network.parameters()).device
        # No part of a batch takes longer than a second, so a cancelled run ends within one.
        self._tokens_a_second = tokens_a_second
        self.most_rows = 0  # of one part; 0 as long as the device has not run out of memory

    def gradients(self, lengths: Sequence[int], loss: PartLoss, tell: Callable[[], None]) -> None:
        """Compute them for windows of these lengths; where memory runs out, halve the part and start again.

        Raises `Diverged` for a loss that is not a number, `TrainingError` where one text does not fit.
        """
        while True:
            self.network.zero_grad(set_to_none=True)
            fitting = [len(lengths)]
            if self.device.type == "cpu":
                fitting.append(max(1, self._tokens_a_second // max(lengths)))
            if self.most_rows:
                fitting.append(self.most_rows)
            rows = min(fitting)
            try:
                for start in range(0, len(lengths), rows):
                    cost = loss(slice(start, start + rows))
                    if not torch.isfinite(cost):
                        raise Diverged
                    cost.backward()  # type: ignore[no-untyped-call]
                    tell()
                return
            except torch.OutOfMemoryError as error:
                if rows == 1:
                    raise TrainingError(
                        f"The {self.device.type} device has too little memory for one text of "
                        f"{max(lengths)} tokens: lower max_length, or choose a smaller checkpoint."
                    ) from error
                self.most_rows = rows // 2
            # NB: this stands outside of `except`, because the traceback there still holds the tensors.
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
