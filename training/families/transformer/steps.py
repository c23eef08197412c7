"""One step's gradients, in as many parts as the device's memory asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from training.families.shared.batches import Window, pad
from training.families.shared.devices import half_precision
from training.families.shared.network import Classifier
from training.families.transformer.losses import Loss
from training.types import TrainingError


class Diverged(Exception):
    """The loss or its gradient is no longer a number."""


class Stepper:
    """Leaves the gradients of a batch's mean loss in the network, whatever the parts it is computed in."""

    def __init__(self, network: Classifier, loss: Loss) -> None:
        self.network = network
        self.loss = loss
        self.device = network.head.weight.device
        self._tokens_a_second = network.tokens_a_second()  # no part takes longer, so cancelling does not
        self.most_rows = 0  # in one part; 0 while the device has not run out of memory

    def gradients(self, windows: Sequence[Window], targets: torch.Tensor, tell: Callable[[], None]) -> None:
        """Compute them; where memory runs out, halve the part and start the batch again.

        Raises `Diverged` for a loss that is not a number, `TrainingError` where one text does not fit.
        """
        while True:
            self.network.zero_grad(set_to_none=True)
            rows = self._rows_at_once(windows)
            try:
                for start in range(0, len(windows), rows):
                    part = slice(start, start + rows)
                    self._add_part(windows[part], targets[part], len(windows))
                    tell()
                return
            except torch.OutOfMemoryError as error:
                if rows == 1:
                    raise TrainingError(
                        f"The {self.device.type} device has too little memory for one text of "
                        f"{max(map(len, windows))} tokens: lower max_length, or choose a smaller checkpoint."
                    ) from error
                self.most_rows = rows // 2
            _give_memory_back(self.device)  # NB: outside of `except`, whose traceback holds the tensors

    def _rows_at_once(self, windows: Sequence[Window]) -> int:
        fitting = [len(windows)]
        if self.device.type == "cpu":
            fitting.append(max(1, self._tokens_a_second // max(map(len, windows))))
        if self.most_rows:
            fitting.append(self.most_rows)
        return min(fitting)

    def _add_part(self, windows: Sequence[Window], targets: torch.Tensor, batch: int) -> None:
        ids, mask = (torch.from_numpy(array).to(self.device) for array in pad(windows, self.network.padding))
        with half_precision(self.device):
            logits = self.network(ids, mask)  # (windows, labels)
        cost = self.loss(logits, targets.to(self.device)).sum() / batch
        if not torch.isfinite(cost):
            raise Diverged
        cost.backward()  # type: ignore[no-untyped-call]


def _give_memory_back(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
