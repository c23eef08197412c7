"""Fine-tunings that break off: killed after some steps, or short of memory for a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from training.families.shared.state import FitState, SavedRun


class Killed(Exception):
    """Stands in for a cancelled run or a killed worker."""


def kill_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the run break off after so many steps, as soon as the state was saved."""
    real = SavedRun.keep_up

    def keep_up(self: SavedRun, network: Any, optimizer: Any, progress: FitState) -> None:
        real(self, network, optimizer, progress)
        if progress.step == steps:
            raise Killed

    monkeypatch.setattr(SavedRun, "keep_up", keep_up)


def short_of_memory(network: type[torch.nn.Module], rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks of a class learn from so many rows at once and no more."""
    real: Callable[..., Any] = network.forward

    def forward(self: Any, input_ids: torch.Tensor, *given: Any) -> Any:
        if self.training and len(input_ids) > rows:
            raise torch.OutOfMemoryError
        return real(self, input_ids, *given)

    monkeypatch.setattr(network, "forward", forward)
