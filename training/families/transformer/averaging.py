"""A moving average of a network's weights, which is a better network than the last step's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from training.families.shared.network import Classifier

Weights = dict[str, torch.Tensor]

EVERY = 5  # steps: adding goes through all weights, which shows beside a step on few short texts
_NEWEST = 0.05  # share of the newest weights, so that the average spans about 100 steps
_GROWTH = 3.0


class Average:
    """The average over the weights' path, in which the newest count most; kept on the network's device.

    Exponential (Polyak and Juditsky, 1992, averaged all alike), except at the start, where a fixed share
    would leave it full of weights that had learned nothing yet: there the i-th to be added gets the share
    4 / (i + 3), so that the average spans the latest part of what there is (Shamir and Zhang, 2013).
    """

    def __init__(self) -> None:
        self.weights: Weights = {}  # of parameters alone: buffers are not learned
        self.added = 0

    @torch.no_grad()
    def add(self, network: Classifier) -> None:
        """Take in the network's weights of now."""
        self.added += 1
        now = {name: value.detach() for name, value in network.named_parameters()}
        if not self.weights:
            self.weights = {name: value.clone() for name, value in now.items()}
        share = max(_NEWEST, (1 + _GROWTH) / (self.added + _GROWTH))
        for name, value in self.weights.items():
            value.lerp_(now[name], share)

    @contextmanager
    def worn_by(self, network: Classifier) -> Iterator[None]:
        """Let the network compute with the average, and give it its own weights back at the end."""
        self._swap(network)
        try:
            yield
        finally:
            self._swap(network)

    def _swap(self, network: Classifier) -> None:
        for name, parameter in network.named_parameters():
            parameter.data, self.weights[name] = self.weights[name], parameter.data

    def restore(self, network: Classifier, weights: Weights, added: int) -> None:
        """Go on from an average that was saved."""
        device = network.head.weight.device
        self.weights = {name: value.to(device) for name, value in weights.items()}
        self.added = added
