"""A run's state on disk, so that a killed run goes on where it was: one file, replaced by one rename."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from training.families.shared.network import Classifier
from training.families.transformer.averaging import Weights

if TYPE_CHECKING:
    from training.families.transformer.finetune import FitState

EVERY_SECONDS = 60.0
_NETWORK, _AVERAGE, _BEST = "network.", "average.", "best."
_OPTIMIZER, _RANDOM = "optimizer.", "random."

logger = logging.getLogger(__name__)


class SavedRun:
    """The saved state of one run, found again by what the run learns from and how.

    A file holds weights, their average, the best of it so far, AdamW's moments, the state of dropout's
    random numbers and how far the run is. Of one that cannot be read a warning tells; the run starts anew.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / f"fine-tuning-{fingerprint[:16]}.safetensors"
        self._fingerprint = fingerprint
        self._written = time.monotonic()

    def keep_up(self, network: Classifier, optimizer: torch.optim.Optimizer, progress: FitState) -> None:
        """Write the state where the last one is old."""
        if time.monotonic() - self._written >= EVERY_SECONDS:
            self.write(network, optimizer, progress)

    def write(self, network: Classifier, optimizer: torch.optim.Optimizer, progress: FitState) -> None:
        """Write the state now; a run killed meanwhile finds the one before."""
        tensors = _named(_NETWORK, network.state_dict().items()) | _named(_BEST, progress.best.items())
        tensors |= _named(_AVERAGE, progress.average.weights.items())
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= _named(f"{_OPTIMIZER}{i}.", state.items())
        tensors |= _named(_RANDOM, _random_state().items())
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

    def restore(self, network: Classifier, optimizer: torch.optim.Optimizer, progress: FitState) -> None:
        """Set all three to what was written, where there is something of this very run."""
        found = self._read()
        if found is None:
            return
        said, averaged, tensors = found
        network.load_state_dict(_under(_NETWORK, tensors))
        _restore_optimizer(optimizer, _under(_OPTIMIZER, tensors))
        _restore_random(_under(_RANDOM, tensors))
        progress.average.restore(network, _under(_AVERAGE, tensors), averaged)
        progress.best = _under(_BEST, tensors)
        for name, value in said.items():
            setattr(progress, name, value)

    def _read(self) -> tuple[dict[str, Any], int, Weights] | None:
        """Return how far this run was, how many weights its average holds, and all tensors; else None."""
        try:
            with safe_open(self.path, framework="pt") as file:
                said = json.loads(file.metadata()["run"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            is_own = said.pop("fingerprint") == self._fingerprint
            return (said, said.pop("averaged"), tensors) if is_own else None
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            logger.warning(
                "The saved state %s of a fine-tuning cannot be read (%s); the run starts anew.",
                self.path,
                error,
            )
            return None


def copy_weights(network: Classifier) -> Weights:
    """Return a copy of all weights in the memory of the processor."""
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def fingerprint(network: Classifier, *parts: object) -> str:
    """Return a checksum (hexadecimal) of the weights that a run starts from and all that it depends on."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    for part in parts:
        digest.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()


def _named(prefix: str, items: Iterable[tuple[str, torch.Tensor]]) -> Weights:
    # Cloned, as safetensors refuses two names for one tensor's memory.
    return {prefix + name: value.detach().cpu().clone() for name, value in items}


def _under(prefix: str, tensors: Weights) -> Weights:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Weights) -> None:
    state: dict[int, Weights] = {}
    for name, value in tensors.items():
        i, _, key = name.partition(".")
        state.setdefault(int(i), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _random_state() -> Weights:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _restore_random(states: Weights) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
