"""The training loop of a tagger, from the batches to the averaged weights, in the order of its use."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from training.families.shared.batches import pad, shuffled_batches
from training.families.shared.devices import half_precision
from training.families.shared.network import tokens_a_second
from training.families.shared.state import Average, FitState, SavedRun, Weights, copy_weights
from training.families.shared.steps import Diverged, FitReporter, PartLoss, Stepper
from training.families.token_classifier.network import TokenTagger
from training.preprocess.word_features import WordFeed
from training.types import IntArray, TrainingError

# Chosen on WNUT17 and NLU++.
_LAYER_SHARE = 0.9  # of the learning rate of the layer above
_HEAD_FASTER = 5.0
_DECAY, _CLIP, _WARMUP = 0.01, 1.0, 0.1
_NEWEST, _GROWTH = 0.01, 8.0  # as `Average` takes them
# The weight of labels of whole texts beside the tags of words: of 1, 10 and 30 on NLU++ hotels, one seed.
_WHOLE = 10.0
_IGNORED = -100  # the tag of a piece that speaks for no word


@dataclass(frozen=True, slots=True)
class TaggedPieces:
    """A window as it is learned from: pieces, their shapes, and the tag of each that speaks for a word.

    `labels` are 0/1 targets (labels,) of the whole text, where the task has some, and `worth` (labels,) is by
    how much each of them counts, () for all alike.
    """

    ids: tuple[int, ...]
    shapes: tuple[int, ...]
    tags: tuple[int, ...]
    labels: tuple[float, ...] = ()
    worth: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggerRecipe:
    """How a tagger is tuned; `tag_weights` (tags,) is by how much each tag counts, () for all alike.

    With an `agreement` above 0 each batch is read twice, and two readings that differ cost so much of their
    difference.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    tag_weights: tuple[float, ...] = ()
    agreement: float = 0.0


def windows_of(
    feed: WordFeed, tags: IntArray, labels: Sequence[float] = (), worth: Sequence[float] = ()
) -> list[TaggedPieces]:
    """Return a text's windows. A word in two of them is learned in the one that speaks for it alone."""
    ids, shapes = feed.feed["input_ids"], feed.feed["shapes"]
    targets = np.full(ids.size, _IGNORED, np.int64)
    read = feed.rows >= 0
    targets[feed.rows[read]] = tags[read]
    rows = targets.reshape(ids.shape)
    return [
        TaggedPieces(
            tuple(map(int, one)), tuple(map(int, shaped)), tuple(map(int, given)), tuple(labels), tuple(worth)
        )
        for one, shaped, given in zip(ids, shapes, rows, strict=True)
        if (given != _IGNORED).any()
    ]


def tune_tagger(
    network: TokenTagger,
    windows: Sequence[TaggedPieces],
    recipe: TaggerRecipe,
    *,
    late: Sequence[TaggedPieces] = (),
    saved: SavedRun | None = None,
    tell: Callable[[float], None] = lambda done: None,
) -> Weights:
    """Tune `network` in place and leave it with the moving average of its weights.

    AdamW with a rate that falls from layer to layer (Howard and Ruder, 2018), linear warm-up and decay. Word
    embeddings are frozen: words that no label has shown yet would stay where the others leave. Windows that
    are `late` are learned in the last epoch alone; the average from before, which has not seen them, is
    returned, so that a decoder is tuned on them and nothing is lost to it. `tell` gets the share done and may
    raise to end the run; what is `saved` by then is where the next one goes on. Raises `TrainingError` where
    the loss is no number, or where one text alone does not fit the device's memory.
    """
    network.encoder.get_input_embeddings().weight.requires_grad_(False)
    optimizer = _optimizer(network, recipe)
    stepper = Stepper(network, tokens_a_second(network.encoder))
    teller, progress = FitReporter(tell), FitState(Average(_NEWEST, _GROWTH))
    if saved is not None:
        saved.restore(network, optimizer, progress)
    everything = [*windows, *late]
    an_epoch, the_last = (-(-len(some) // recipe.batch_size) for some in (windows, everything))
    before_last = (recipe.epochs - 1) * an_epoch
    steps = before_last + the_last
    network.train()
    while progress.step < steps:
        epoch = min(progress.step // max(an_epoch, 1), recipe.epochs - 1)
        if late and progress.step == before_last:
            with progress.average.worn_by(network):
                progress.best = copy_weights(network)
        seen = everything if progress.step >= before_last else windows
        for batch in _batches(seen, recipe, epoch)[progress.step - epoch * an_epoch :]:
            teller.done = progress.step / steps
            try:
                loss = part_loss(network, batch, recipe.tag_weights, recipe.agreement)
                readings = 2 if recipe.agreement else 1
                stepper.gradients([readings * len(window.ids) for window in batch], loss, teller)
                if not torch.isfinite(nn.utils.clip_grad_norm_(network.parameters(), _CLIP)):
                    raise Diverged
            except Diverged:
                raise TrainingError(
                    f"The loss is no longer a number after {progress.step} steps: "
                    "choose a lower learning rate."
                ) from None
            _set_rate(optimizer, progress.step / steps)
            optimizer.step()
            progress.average.add(network)
            progress.step += 1
            if saved is not None:
                saved.keep_up(network, optimizer, progress)
    if saved is not None:
        saved.write(network, optimizer, progress)
    network.load_state_dict(network.state_dict() | progress.average.weights)
    network.eval()
    return progress.best


def _batches(windows: Sequence[TaggedPieces], recipe: TaggerRecipe, epoch: int) -> list[list[TaggedPieces]]:
    """Return the batches of an epoch.

    All is drawn from seed and epoch, so that a resumed run goes on with the batches it would have had.
    """
    rng = np.random.default_rng((recipe.seed, epoch))
    lengths = np.array([len(window.ids) for window in windows], np.int64)
    return [[windows[i] for i in rows] for rows in shuffled_batches(lengths, recipe.batch_size, rng)]


def part_loss(
    network: TokenTagger,
    batch: Sequence[TaggedPieces],
    tag_weights: Sequence[float] = (),
    agreement: float = 0.0,
) -> PartLoss:
    """Return what some windows of a batch add to its loss.

    That is the mean cross-entropy of the pieces that speak for a word, and the loss of the labels of whole
    texts, where there are some; with `agreement` the mean of two readings that dropout makes differ, and
    their divergence so many times (R-Drop: Liang et al., 2021). `tag_weights` (tags,) are those of
    `TaggerRecipe`.
    """
    device = network.head.weight.device
    counts = torch.tensor(tag_weights, device=device) if len(tag_weights) else None
    words = sum(tag != _IGNORED for window in batch for tag in window.tags)

    def of(part: slice) -> torch.Tensor:
        windows = batch[part]
        ids, mask = pad([window.ids for window in windows], 0)
        shapes, _ = pad([window.shapes for window in windows], 0)
        tags, _ = pad([window.tags for window in windows], _IGNORED)
        arrays = [torch.from_numpy(array).to(device) for array in (ids, shapes, mask)]
        given = torch.from_numpy(tags).to(device).flatten()
        wanted = torch.tensor([window.labels for window in windows], device=device)
        worth = torch.tensor([window.worth or 1.0 for window in windows], device=device)
        share = len(windows) / len(batch)
        readings = []
        with half_precision(device):
            for _ in range(2 if agreement else 1):
                logits, *whole = network(*arrays)  # (windows, pieces, tags), (windows, labels)
                readings.append((logits.flatten(0, 1), *whole))
        loss = torch.zeros((), device=device)
        for logits, *whole in readings:
            cells = nn.functional.cross_entropy(logits, given, counts, ignore_index=_IGNORED, reduction="sum")
            loss = loss + cells / words
            for said in whole:
                cells = nn.functional.binary_cross_entropy_with_logits(
                    said, wanted, worth.view(len(windows), -1)
                )
                loss = loss + share * _WHOLE * cells
        if not agreement:
            return loss
        (logits, *whole), (others, *other_whole) = readings
        of_words = given != _IGNORED
        apart = _divergence(logits[of_words].log_softmax(-1), others[of_words].log_softmax(-1)).sum() / words
        for said, other in zip(whole, other_whole, strict=True):
            differ = (said.sigmoid() - other.sigmoid()) * (said - other)  # of yes and no, both ways
            apart = apart + share * _WHOLE * differ.mean() / 2
        return loss / 2 + agreement * apart

    return of


def _divergence(logs: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Return the mean of both Kullback-Leibler divergences of log probabilities (rows, tags), as (rows,)."""
    return ((logs.exp() - others.exp()) * (logs - others)).sum(dim=-1) / 2


def _optimizer(network: TokenTagger, recipe: TaggerRecipe) -> torch.optim.AdamW:
    """Return AdamW: each layer learns slower than the one above it, head and shapes faster than all."""
    depth = int(network.encoder.config.num_hidden_layers)
    groups = []
    for name, weights in network.named_parameters():
        if not weights.requires_grad:
            continue
        layer = re.search(r"\blayers?\.(\d+)\.", name)
        if not name.startswith("encoder."):
            share = _HEAD_FASTER
        else:
            share = _LAYER_SHARE ** (depth - 1 - int(layer[1]) if layer else depth)
        rate = recipe.learning_rate * share
        decay = _DECAY if weights.ndim > 1 else 0.0
        groups.append({"params": [weights], "peak": rate, "lr": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def _set_rate(optimizer: torch.optim.Optimizer, done: float) -> None:
    factor = min(done / _WARMUP, 1.0) if done < _WARMUP else (1 - done) / (1 - _WARMUP)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
