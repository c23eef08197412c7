"""The training loop of a tagger, from the batches to the averaged weights, in the order of its use."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from training.families.shared.batches import pad, shuffled_batches
from training.families.shared.devices import half_precision
from training.families.token_classifier.network import TokenTagger
from training.preprocess.word_features import WordFeed
from training.types import IntArray, TrainingError

# Chosen on WNUT17 and NLU++.
_LAYER_SHARE = 0.9  # of the learning rate of the layer above
_HEAD_FASTER = 5.0
_DECAY, _CLIP, _WARMUP = 0.01, 1.0, 0.1
_MOST_AVERAGED = 0.99
# The weight of labels of whole texts beside the tags of words: of 1, 10 and 30 on NLU++ hotels, one seed.
_WHOLE = 10.0
_IGNORED = -100  # the tag of a piece that speaks for no word


@dataclass(frozen=True, slots=True)
class TaggedPieces:
    """A window as it is learned from: pieces, their shapes, and the tag of each that speaks for a word.

    `labels` are 0/1 targets (labels,) of the whole text, where the task has some.
    """

    ids: tuple[int, ...]
    shapes: tuple[int, ...]
    tags: tuple[int, ...]
    labels: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class TaggerRecipe:
    """How a tagger is tuned."""

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int


def windows_of(feed: WordFeed, tags: IntArray, labels: Sequence[float] = ()) -> list[TaggedPieces]:
    """Return a text's windows. A word in two of them is learned in the one that speaks for it alone."""
    ids, shapes = feed.feed["input_ids"], feed.feed["shapes"]
    targets = np.full(ids.size, _IGNORED, np.int64)
    read = feed.rows >= 0
    targets[feed.rows[read]] = tags[read]
    rows = targets.reshape(ids.shape)
    return [
        TaggedPieces(tuple(map(int, one)), tuple(map(int, shaped)), tuple(map(int, given)), tuple(labels))
        for one, shaped, given in zip(ids, shapes, rows, strict=True)
        if (given != _IGNORED).any()
    ]


def tune_tagger(
    network: TokenTagger,
    windows: Sequence[TaggedPieces],
    recipe: TaggerRecipe,
    *,
    late: Sequence[TaggedPieces] = (),
    before_late: Callable[[], None] = lambda: None,
    tell: Callable[[float], None] = lambda done: None,
) -> None:
    """Tune `network` in place and leave it with the moving average of its weights.

    AdamW with a rate that falls from layer to layer (Howard and Ruder, 2018), linear warm-up and decay. Word
    embeddings are frozen: words that no label has shown yet would stay where the others leave. Windows that
    are `late` are learned in the last epoch alone; `before_late` is called with the average in place, which
    has not seen them, so that a decoder is tuned on them and nothing is lost to it. `tell` gets
    the share done and may raise to end the run. Raises `TrainingError` where the loss is no number.
    """
    rng = np.random.default_rng(recipe.seed)
    network.encoder.get_input_embeddings().weight.requires_grad_(False)
    optimizer = _optimizer(network, recipe)
    everything = [*windows, *late]
    batches = [-(-count // recipe.batch_size) for count in (len(windows), len(everything))]
    steps = (recipe.epochs - 1) * batches[0] + batches[1]
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    average = [parameter.detach().clone() for parameter in learned]
    network.train()
    step = 0
    for epoch in range(recipe.epochs):
        if late and epoch == recipe.epochs - 1:
            _swap(learned, average)
            before_late()
            _swap(learned, average)
            network.train()
        seen = everything if epoch == recipe.epochs - 1 else windows
        lengths = np.array([len(window.ids) for window in seen], np.int64)
        for rows in shuffled_batches(lengths, recipe.batch_size, rng):
            loss = _loss(network, [seen[i] for i in rows])
            optimizer.zero_grad()
            loss.backward()
            if not torch.isfinite(nn.utils.clip_grad_norm_(learned, _CLIP)):
                raise TrainingError(
                    f"The loss is no longer a number after {step} steps: choose a lower learning rate."
                )
            _set_rate(optimizer, step / steps)
            optimizer.step()
            kept = min(_MOST_AVERAGED, (1 + step) / (10 + step))
            with torch.no_grad():
                for value, now in zip(average, learned, strict=True):
                    value.lerp_(now, 1 - kept)
            step += 1
            tell(step / steps)
    _swap(learned, average)
    network.eval()


def _loss(network: TokenTagger, windows: Sequence[TaggedPieces]) -> Any:
    """Return the mean cross-entropy of the pieces that speak for a word, as a tensor of no dimension.

    To it comes that of the labels of whole texts, where there are some.
    """
    device = network.head.weight.device
    ids, mask = pad([window.ids for window in windows], 0)
    shapes, _ = pad([window.shapes for window in windows], 0)
    tags, _ = pad([window.tags for window in windows], _IGNORED)
    with half_precision(device):
        arrays = (torch.from_numpy(array).to(device) for array in (ids, shapes, mask))
        logits, *whole = network(*arrays)  # (windows, pieces, tags), (windows, labels)
    given = torch.from_numpy(tags).to(device).flatten()
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), given, ignore_index=_IGNORED)
    for said in whole:
        wanted = torch.tensor([window.labels for window in windows], device=device)
        loss = loss + _WHOLE * nn.functional.binary_cross_entropy_with_logits(said, wanted)
    return loss


def _swap(learned: Sequence[nn.Parameter], average: list[torch.Tensor]) -> None:
    """Exchange the weights with their average."""
    for i, parameter in enumerate(learned):
        parameter.data, average[i] = average[i], parameter.data


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
