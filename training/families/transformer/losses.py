"""What a fine-tuned network is punished for: cross-entropy, with weights, smoothing and focus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from training.types import FloatArray, Task

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Of logits and targets, both (texts, labels), the loss of each text (texts,)."""

_HEAVIEST = 20.0  # a label with one example must not outweigh everything else


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
    return _sigmoid_loss(weights, focal) if not task.exclusive else _softmax_loss(weights, focal)


def _softmax_loss(weights: torch.Tensor | None, focal: float) -> Loss:
    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        logs = F.log_softmax(logits, dim=-1)
        cells = -targets * logs * (1 - logs.exp()) ** focal if focal else -targets * logs
        return (cells if weights is None else cells * weights).sum(dim=-1)

    return loss


def _sigmoid_loss(weights: torch.Tensor | None, focal: float) -> Loss:
    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        cells = F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none")
        if focal:
            hit = torch.sigmoid(logits) * (2 * targets - 1) + (1 - targets)  # probability of the truth
            cells = cells * (1 - hit) ** focal
        return cells.sum(dim=-1)

    return loss
