"""Linear heads on vectors: soft targets, weights per cell, warm starts, one thread, float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from scipy.optimize import minimize

from training.types import FloatArray, Task

FILE = "weights.npz"
NEVER = -15.0  # the logit of a label without any example
Cost = Callable[[FloatArray, FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
"""Takes logits and targets (documents, labels) and the sum of each document's targets (documents, 1).

Returns the cost, by cell or by document, and its slope by the logits. It may write over the logits.
"""


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted linear head: `weights` (dimension, labels) and `bias` (labels,)."""

    weights: FloatArray
    bias: FloatArray

    def logits(self, vectors: FloatArray) -> FloatArray:
        """Return scores before the activation (documents, labels)."""
        return vectors @ self.weights + self.bias

    def save(self, folder: Path) -> None:
        """Write both arrays."""
        np.savez(folder / FILE, weights=self.weights, bias=self.bias)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return cls(arrays["weights"], arrays["bias"])


def activate(task: Task, logits: FloatArray) -> FloatArray:
    """Return probabilities: a softmax over labels for single-label, one sigmoid per label for multi-label."""
    if not task.exclusive:
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))), dtype=np.float32)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


def fit_head(
    task: Task,
    vectors: FloatArray,
    targets: FloatArray,
    weights: FloatArray,
    *,
    penalty: float,
    cost: Cost | None = None,
    start: Head | None = None,
    iterations: int = 60,
) -> Head:
    """Minimise a weighted cost, cross-entropy without `cost`, plus `penalty / 2 * |weights|^2` by L-BFGS.

    `targets` (documents, labels) may be soft. `weights` is (documents, 1), or (documents, labels) for
    multi-label and for costs that are summed over labels. The bias is not penalised. The same input gives the
    same head; `start` only saves iterations.
    """
    dimension, labels = vectors.shape[1], targets.shape[1]
    target_mass = targets.sum(axis=1, keepdims=True)
    cost_of = cost or (_sigmoid_cost if not task.exclusive else _softmax_cost)

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        table = flat.astype(np.float32).reshape(dimension + 1, labels)
        logits = vectors @ table[:-1]
        logits += table[-1]
        costs, slope = cost_of(logits, targets, target_mass)
        slope *= weights
        gradient = np.empty_like(table)
        gradient[:-1] = vectors.T @ slope + penalty * table[:-1]
        gradient[-1] = slope.sum(axis=0)
        total = float((costs * weights).sum()) + 0.5 * penalty * float((table[:-1] ** 2).sum())
        return total, gradient.ravel().astype(np.float64)

    first = np.zeros((dimension + 1, labels))
    if start is not None:
        first[:-1], first[-1] = start.weights, start.bias
    found = minimize(
        loss,
        first.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": iterations, "maxcor": 10, "ftol": 1e-6},
    ).x
    table = found.reshape(dimension + 1, labels).astype(np.float32)
    return Head(table[:-1].copy(), table[-1].copy())


def _softmax_cost(logits: FloatArray, targets: FloatArray, mass: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the cross-entropy (documents, 1) and its slope by the logits (documents, labels)."""
    logits -= logits.max(axis=1, keepdims=True)
    odds = np.exp(logits)
    total = odds.sum(axis=1, keepdims=True)
    cost = mass * np.log(total) - (targets * logits).sum(axis=1, keepdims=True)
    odds *= mass / total
    odds -= targets
    return cost, odds


def _sigmoid_cost(logits: FloatArray, targets: FloatArray, mass: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the binary cross-entropy of every cell and its slope by the logits, both (documents, labels)."""
    cost = np.asarray(np.logaddexp(0.0, logits) - targets * logits, np.float32)
    slope = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))) - targets
    return cost, np.asarray(slope, np.float32)
