"""Probabilities of tokenised texts by a network in PyTorch, windows averaged."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from training.families.shared.batches import Window, pad, sorted_batches
from training.families.shared.network import Classifier, activate, tokens_a_second
from training.types import FloatArray, Task

_TOKENS_AT_ONCE = 65_536  # on a GPU; larger batches take more memory and no less time


@torch.no_grad()
def score_windows(
    network: Classifier,
    task: Task,
    texts: Sequence[tuple[Window, ...]],
    tell: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Return probabilities (texts, labels) in float32 without dropout: the mean over each text's windows.

    `tell` is called after each batch and may raise.
    """
    was_training = network.training
    network.eval()
    flat = [window for windows in texts for window in windows]
    lengths = np.array([len(window) for window in flat], np.int64)
    device = network.head.weight.device
    found = np.zeros((len(flat), network.head.out_features), np.float32)
    at_once = tokens_a_second(network.encoder) if device.type == "cpu" else _TOKENS_AT_ONCE
    # NB: batches are by length, so their rows are put back where they came from.
    for rows in sorted_batches(lengths, max(1, at_once // int(lengths.max(initial=1)))):
        ids, mask = pad([flat[i] for i in rows], network.padding)
        logits = network(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        found[rows] = activate(task, logits).cpu().numpy()
        tell()
    network.train(was_training)
    counts = np.array([len(windows) for windows in texts], np.int64)
    if not len(counts):
        return found
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(np.add.reduceat(found, starts, axis=0) / counts[:, None], np.float32)
