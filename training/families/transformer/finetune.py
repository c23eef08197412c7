"""The training loop: every step of a fine-tuning, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from training.families.shared.batches import Window, shuffled_batches
from training.families.shared.network import Classifier
from training.families.transformer.averaging import EVERY, Average, Weights
from training.families.transformer.checkpointing import SavedRun, copy_weights
from training.families.transformer.examples import Examples
from training.families.transformer.losses import Loss, label_weights, make_loss, smoothed
from training.families.transformer.scoring import score_windows
from training.families.transformer.steps import Diverged, Stepper
from training.figures.evaluate import macro_f1
from training.figures.thresholds import tune
from training.types import IntArray, Task, TrainingError

_TELL_SECONDS = 1.0
_HEAD_FASTER = 10.0  # times the encoder's learning rate: the head starts from nothing
_DECAY = 0.01
_CLIP = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is tuned; `warmup` is a share of all steps, `patience` a number of epochs."""

    epochs: int
    batch_size: int
    learning_rate: float
    warmup: float
    label_smoothing: float
    focal: float
    balanced: bool
    patience: int
    seed: int


@dataclass
class FitState:
    """How far a run is. `best` is the average after the best epoch so far, or the last without `valid`."""

    step: int = 0
    history: list[float | None] = field(default_factory=list)  # macro-F1 on `valid` after each epoch
    best_epoch: int = 0  # counted from 1
    best: Weights = field(default_factory=dict)
    average: Average = field(default_factory=Average)
    stopped: str = ""  # why, where it ended before the last epoch


class FitReporter:
    """Tells the share done at most once a second, so that asking after every step costs nothing."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._told = 0.0
        self.done = 0.0

    def __call__(self) -> None:
        """Tell; what the receiver raises, as when the run was cancelled, goes through."""
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            self._tell(self.done)


def fine_tune(
    network: Classifier,
    task: Task,
    learn: Examples,
    valid: Examples,
    recipe: Recipe,
    *,
    stop_after: int = 0,
    saved: SavedRun | None = None,
    tell: Callable[[float], None] = lambda done: None,
) -> FitState:
    """Tune `network` in place; it is left with the averaged weights of the epoch that was best on `valid`.

    AdamW (Loshchilov and Hutter, 2019), linear warm-up and decay over `recipe.epochs`, of which at most
    `stop_after` are run; a moving average of the weights is what is measured and kept. Without `valid` the
    last epoch counts as the best. `tell` gets the share done and may raise to end the run. Raises
    `TrainingError` where the loss stops being a number in the first epoch, or where one text alone does not
    fit the device's memory.
    """
    optimizer = _optimizer(network, recipe)
    stepper = Stepper(network, _loss(task, learn, recipe, network.head.weight.device))
    targets = torch.from_numpy(smoothed(task, learn.targets, recipe.label_smoothing))
    teller, progress = FitReporter(tell), FitState()
    if saved is not None:
        saved.restore(network, optimizer, progress)

    steps_an_epoch = -(-len(learn) // recipe.batch_size)
    last_epoch = min(stop_after or recipe.epochs, recipe.epochs)
    network.train()
    while len(progress.history) < last_epoch and not progress.stopped:
        epoch = len(progress.history)
        try:
            for windows, rows in _rest_of_epoch(learn, recipe, epoch, progress.step - epoch * steps_an_epoch):
                teller.done = progress.step / (last_epoch * steps_an_epoch)
                stepper.gradients(windows, targets[rows], teller)
                _clip(network)
                _set_rate(optimizer, recipe, progress.step / (recipe.epochs * steps_an_epoch))
                optimizer.step()
                progress.step += 1
                if progress.step % EVERY == 0 or progress.step % steps_an_epoch == 0:
                    progress.average.add(network)
                if saved is not None:
                    saved.keep_up(network, optimizer, progress)
        except Diverged:
            _keep_last_good(progress)
        else:
            _end_epoch(network, task, valid, recipe, progress, teller)
    if saved is not None:
        saved.write(network, optimizer, progress)
    network.load_state_dict(progress.best)
    network.eval()
    return progress


def _rest_of_epoch(
    learn: Examples, recipe: Recipe, epoch: int, position: int
) -> Iterator[tuple[list[Window], IntArray]]:
    """Yield the batches of an epoch from `position` on: a window of each text, and which texts these are.

    A long text shows another of its windows in each epoch. All is drawn from seed and epoch alone, so that
    a resumed run goes on with the batches that it would have had.
    """
    rng = np.random.default_rng((recipe.seed, epoch))
    drawn = [windows[rng.integers(len(windows))] for windows in learn.windows]
    lengths = np.array([len(window) for window in drawn], np.int64)
    for rows in shuffled_batches(lengths, recipe.batch_size, rng)[position:]:
        yield [drawn[i] for i in rows], rows


def _optimizer(network: Classifier, recipe: Recipe) -> torch.optim.AdamW:
    """Return AdamW with a faster head; biases and norms, which have one dimension, do not decay."""
    groups = []
    for part, factor in ((network.encoder, 1.0), (network.head, _HEAD_FASTER)):
        for decays in (True, False):
            chosen = [weights for weights in part.parameters() if (weights.ndim > 1) is decays]
            rate = recipe.learning_rate * factor
            groups.append(
                {"params": chosen, "peak": rate, "lr": rate, "weight_decay": _DECAY if decays else 0.0}
            )
    return torch.optim.AdamW(groups, fused=True)


def _loss(task: Task, learn: Examples, recipe: Recipe, device: torch.device) -> Loss:
    weights = torch.from_numpy(label_weights(task, learn.targets)).to(device) if recipe.balanced else None
    return make_loss(task, weights, recipe.focal)


def _set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, done: float) -> None:
    """Raise the learning rates over the warm-up, then lower them to zero at the end of the last epoch."""
    factor = min(done / recipe.warmup, 1.0) if done < recipe.warmup else (1 - done) / (1 - recipe.warmup)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


def _clip(network: Classifier) -> None:
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
    if not torch.isfinite(norm):
        raise Diverged


def _end_epoch(
    network: Classifier, task: Task, valid: Examples, recipe: Recipe, progress: FitState, teller: FitReporter
) -> None:
    """Measure, keep the weights where they are the best so far, stop where they have not been for long."""
    epoch = 1 + len(progress.history)
    before = [past for past in progress.history if past is not None]
    with progress.average.worn_by(network):
        score = _valid_score(network, task, valid, teller) if len(valid) else None
        progress.history.append(score)
        if score is None or score > max(before, default=-1.0):
            progress.best, progress.best_epoch = copy_weights(network), epoch
    if epoch - progress.best_epoch >= recipe.patience:
        progress.stopped = f"no better macro-F1 in {recipe.patience} epochs"


def _valid_score(network: Classifier, task: Task, valid: Examples, teller: FitReporter) -> float:
    """Return macro-F1, for multi-label with tuned thresholds, as it is published."""
    scores = score_windows(network, task, valid.windows, teller)
    return macro_f1(valid.targets, task.decide(scores, tune(scores, valid.targets))) or 0.0


def _keep_last_good(progress: FitState) -> None:
    if not progress.best:
        raise TrainingError(
            f"The loss is no longer a number after {progress.step} steps, before an epoch was done: "
            "choose a lower learning rate."
        )
    progress.stopped = f"the loss was no longer a number after {progress.step} steps"
