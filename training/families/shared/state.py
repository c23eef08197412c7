"""How far a fine-tuning is, in memory and on disk, so that a killed run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

Weights = dict[str, torch.Tensor]

SAVE_EVERY_SECONDS = 60.0
_NETWORK, _AVERAGE, _BEST = "network.", "average.", "best."
_OPTIMIZER, _RANDOM = "optimizer.", "random."

logger = logging.getLogger(__name__)


class Average:
    """The average over the weights' path, in which the newest count most; kept on the network's device.

    Exponential (Polyak and Juditsky, 1992, averaged all alike), except at the start, where a fixed share
    would leave it full of weights that had learned nothing yet: there the i-th to be added gets the share
    (1 + growth) / (i + growth), so that the average spans the latest part of what there is (Shamir and
    Zhang, 2013). `newest` is the share that is fixed.
    """

    def __init__(self, newest: float, growth: float) -> None:
        self.weights: Weights = {}  # of the parameters that learn alone
        self.added = 0
        self._newest = newest
        self._growth = growth

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Take in the weights that the network has now."""
        self.added += 1
        now = {name: value.detach() for name, value in network.named_parameters() if value.requires_grad}
        if not self.weights:
            self.weights = {name: value.clone() for name, value in now.items()}
        share = max(self._newest, (1 + self._growth) / (self.added + self._growth))
        for name, value in self.weights.items():
            value.lerp_(now[name], share)

    @contextmanager
    def worn_by(self, network: nn.Module) -> Iterator[None]:
        """Let the network compute with the average, and give it its own weights back at the end."""
        self._swap(network)
        try:
            yield
        finally:
            self._swap(network)

    def _swap(self, network: nn.Module) -> None:
        for name, parameter in network.named_parameters():
            if name in self.weights:
                parameter.data, self.weights[name] = self.weights[name], parameter.data

    def restore(self, network: nn.Module, weights: Weights, added: int) -> None:
        """Go on from an average that was saved."""
        device = next(network.parameters()).device
        self.weights = {name: value.to(device) for name, value in weights.items()}
        self.added = added


@dataclass
class FitState:
    """How far a run is.

    `best` are the weights that it has to come back to: a classifier to its average after the best epoch so
    far, a tagger to that from before the texts that it learns last.
    """

    average: Average
    step: int = 0
    history: list[float | None] = field(default_factory=list)  # macro-F1 on `valid` after each epoch
    best_epoch: int = 0  # counted from 1; 0 while there is none
    best: Weights = field(default_factory=dict)
    stopped: str = ""  # why the run ended, if that was before the last epoch


class SavedRun:
    """The saved state of one run, found again by what the run learns from and how.

    There is one file, and one rename replaces it. It holds the weights, their average, the best average so
    far, AdamW's moments, the state of dropout's random numbers and how far the run is. If it cannot be read,
    a warning says so and the run starts anew.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / f"fine-tuning-{fingerprint[:16]}.safetensors"
        self._fingerprint = fingerprint
        self._written = time.monotonic()

    def keep_up(self, network: nn.Module, optimizer: torch.optim.Optimizer, progress: FitState) -> None:
        """Write the state if what was written last is more than a minute old."""
        if time.monotonic() - self._written >= SAVE_EVERY_SECONDS:
            self.write(network, optimizer, progress)

    def write(self, network: nn.Module, optimizer: torch.optim.Optimizer, progress: FitState) -> None:
        """Write the state now. A run that is killed while this writes finds the state before."""
        tensors = _named(_NETWORK, network.state_dict().items()) | _named(_BEST, progress.best.items())
        tensors |= _named(_AVERAGE, progress.average.weights.items())
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= _named(f"{_OPTIMIZER}{i}.", state.items())
        random = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            random["cuda"] = torch.cuda.get_rng_state()
        tensors |= _named(_RANDOM, random.items())
        said = {
            "fingerprint": self._fingerprint,
            "step": progress.step,
            "averaged": progress.average.added,
            "history": progress.history,
            "best_epoch": progress.best_epoch,
            "stopped": progress.stopped,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.path.with_suffix(f".{os.getpid()}.tmp")
        save_file(tensors, scratch, metadata={"run": json.dumps(said)})
        scratch.replace(self.path)
        self._written = time.monotonic()

    def restore(self, network: nn.Module, optimizer: torch.optim.Optimizer, progress: FitState) -> None:
        """Set all three to what was written, if something was written by this very run."""
        try:
            with safe_open(self.path, framework="pt") as file:
                said = json.loads(file.metadata()["run"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if said.pop("fingerprint") != self._fingerprint:
                return
            averaged = said.pop("averaged")
        except FileNotFoundError:
            return
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            logger.warning(
                "The saved state %s of a fine-tuning cannot be read (%s); the run starts anew.",
                self.path,
                error,
            )
            return
        network.load_state_dict(_under(_NETWORK, tensors))
        moments: dict[int, Weights] = {}  # by the number of the weights that they belong to
        for name, value in _under(_OPTIMIZER, tensors).items():
            i, _, key = name.partition(".")
            moments.setdefault(int(i), {})[key] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        random = _under(_RANDOM, tensors)
        torch.set_rng_state(random["cpu"])
        if "cuda" in random and torch.cuda.is_available():
            torch.cuda.set_rng_state(random["cuda"])
        progress.average.restore(network, _under(_AVERAGE, tensors), averaged)
        progress.best = _under(_BEST, tensors)
        for name_of_field, value_of_field in said.items():
            setattr(progress, name_of_field, value_of_field)


def copy_weights(network: nn.Module) -> Weights:
    """Return a copy of all weights in the memory of the processor."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def fingerprint(network: nn.Module, *parts: object) -> str:
    """Return a checksum (hexadecimal) of the weights that a run starts from and all that it depends on."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()


def _named(prefix: str, items: Iterable[tuple[str, torch.Tensor]]) -> Weights:
    # The tensors are cloned because safetensors refuses two names for the memory of one tensor.
    return {prefix + name: value.detach().cpu().clone() for name, value in items}


def _under(prefix: str, tensors: Weights) -> Weights:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
