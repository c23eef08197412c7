"""The training loop: every step of a fine-tuning, from the batches to the loss, in the order of its use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from training.families.shared.batches import Window, pad, shuffled_batches
from training.families.shared.devices import half_precision
from training.families.shared.network import Classifier, tokens_a_second
from training.families.shared.state import Average, FitState, SavedRun, copy_weights
from training.families.shared.steps import Diverged, FitReporter, PartLoss, Stepper
from training.families.transformer.examples import Examples
from training.families.transformer.scoring import score_windows
from training.figures.evaluate import macro_f1
from training.figures.thresholds import tune
from training.types import DocumentTask, FloatArray, IntArray, Task, TrainingError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Takes logits and targets, both (texts, labels), and returns the loss of each text (texts,)."""

_HEAD_FASTER = 10.0  # times the encoder's learning rate, because the head starts from nothing
_DECAY = 0.01
_CLIP = 1.0  # the longest gradient
_AVERAGE_EVERY = 5  # steps, because adding goes through all weights, which shows beside a step on short texts
_NEWEST = 0.05  # the share of the newest weights in the average, so that it spans about 100 steps
_GROWTH = 3.0  # at the start the i-th weights get the share (1 + growth) / (i + growth)
_HEAVIEST = 20.0  # the largest weight, so that a label with one example does not outweigh everything else


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


def fine_tune(
    network: Classifier,
    task: DocumentTask,
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
    device = network.head.weight.device
    weights = torch.from_numpy(label_weights(task, learn.targets)).to(device) if recipe.balanced else None
    stepper = Stepper(network, tokens_a_second(network.encoder))
    loss = make_loss(task, weights, recipe.focal)
    targets = torch.from_numpy(smoothed(task, learn.targets, recipe.label_smoothing))
    teller, progress = FitReporter(tell), FitState(Average(_NEWEST, _GROWTH))
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
                lengths = [len(window) for window in windows]
                stepper.gradients(lengths, part_loss(network, loss, windows, targets[rows]), teller)
                _clip(network)
                _set_rate(optimizer, recipe, progress.step / (recipe.epochs * steps_an_epoch))
                optimizer.step()
                progress.step += 1
                if progress.step % _AVERAGE_EVERY == 0 or progress.step % steps_an_epoch == 0:
                    progress.average.add(network)
                if saved is not None:
                    saved.keep_up(network, optimizer, progress)
        except Diverged:
            if not progress.best:
                raise TrainingError(
                    f"The loss is no longer a number after {progress.step} steps, before an epoch was done: "
                    "choose a lower learning rate."
                ) from None
            progress.stopped = f"the loss was no longer a number after {progress.step} steps"
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


def _set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, done: float) -> None:
    """Raise the learning rates over the warm-up, then lower them to zero at the end of the last epoch."""
    factor = min(done / recipe.warmup, 1.0) if done < recipe.warmup else (1 - done) / (1 - recipe.warmup)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


def _clip(network: Classifier) -> None:
    """Shorten the gradient where it is too long; raises `Diverged` where it is no number."""
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
    if not torch.isfinite(norm):
        raise Diverged


def _end_epoch(
    network: Classifier,
    task: DocumentTask,
    valid: Examples,
    recipe: Recipe,
    progress: FitState,
    teller: FitReporter,
) -> None:
    """Measure macro-F1; keep the weights if they are the best so far; stop if none were for long."""
    epoch = 1 + len(progress.history)
    before = [past for past in progress.history if past is not None]
    with progress.average.worn_by(network):
        score: float | None = None
        if len(valid):
            scores = score_windows(network, task, valid.windows, teller)
            # Multi-label is measured with tuned thresholds, as it is published.
            decisions = task.decide(scores, tune(scores, valid.targets))
            score = macro_f1(valid.targets, decisions) or 0.0
        progress.history.append(score)
        if score is None or score > max(before, default=-1.0):
            progress.best, progress.best_epoch = copy_weights(network), epoch
    if epoch - progress.best_epoch >= recipe.patience:
        progress.stopped = f"no better macro-F1 in {recipe.patience} epochs"


def part_loss(network: Classifier, loss: Loss, windows: Sequence[Window], targets: torch.Tensor) -> PartLoss:
    """Return what some windows of a batch add to the mean loss of all of them."""
    device = network.head.weight.device

    def of(part: slice) -> torch.Tensor:
        ids, mask = (torch.from_numpy(array).to(device) for array in pad(windows[part], network.padding))
        with half_precision(device):
            logits = network(ids, mask)  # (windows, labels)
        return loss(logits, targets[part].to(device)).sum() / len(windows)

    return of


def smoothed(task: Task, targets: FloatArray, smoothing: float) -> FloatArray:
    """Return the targets (texts, labels) that a single-label network learns.

    A share of each is spread over the labels that have examples (Szegedy et al., 2016). Multi-label targets
    stay as they are: each is a decision of its own, and most are "no".
    """
    if not task.exclusive:
        return targets
    used = targets.any(axis=0)
    return np.asarray((1 - smoothing) * targets + smoothing * used / max(int(used.sum()), 1), np.float32)


def label_weights(task: Task, targets: FloatArray) -> FloatArray:
    """Return the weight of each label (labels,) that makes labels count alike, at most 20.

    For single-label the inverse of its frequency with mean 1 over the documents, for multi-label the number
    of documents without it for each with it.
    """
    counts = np.maximum(targets.sum(axis=0), 1)
    labels = max(int(targets.any(axis=0).sum()), 1)
    weights = len(targets) / (labels * counts) if task.exclusive else (len(targets) - counts) / counts
    return np.asarray(np.clip(weights, 1 / _HEAVIEST, _HEAVIEST), np.float32)


def make_loss(task: Task, weights: torch.Tensor | None, focal: float) -> Loss:
    """Return the loss of a task; `focal` is gamma, which mutes what is already right (Lin et al., 2017)."""

    def softmax_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logs = F.log_softmax(logits, dim=-1)
        cells = -targets * logs * (1 - logs.exp()) ** focal if focal else -targets * logs
        return (cells if weights is None else cells * weights).sum(dim=-1)

    def sigmoid_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        cells = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none")
        if focal:
            hit = torch.sigmoid(logits) * (2 * targets - 1) + (1 - targets)  # probability of the truth
            cells = cells * (1 - hit) ** focal
        return cells.sum(dim=-1)

    return softmax_loss if task.exclusive else sigmoid_loss
