"""Logistic regression on vectors: soft targets, weights per cell, warm starts, one thread, float32."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from training.types import FloatArray, Task


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted linear head: `weights` (dimension, labels) and `bias` (labels,)."""

    weights: FloatArray
    bias: FloatArray

    def logits(self, vectors: FloatArray) -> FloatArray:
        """Return scores before the activation (documents, labels)."""
        return vectors @ self.weights + self.bias


def activate(task: Task, logits: FloatArray) -> FloatArray:
    """Return probabilities: a softmax over labels for single-label, one sigmoid per label for multi-label."""
    if task is Task.MULTI:
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
    start: Head | None = None,
    iterations: int = 60,
) -> Head:
    """Minimise weighted cross-entropy plus `penalty / 2 * |weights|^2` by L-BFGS.

    `targets` (documents, labels) may be soft. `weights` is (documents, 1), or (documents, labels) for
    multi-label. The bias is not penalised. Deterministic; `start` only saves iterations.
    """
    dimension, labels = vectors.shape[1], targets.shape[1]
    target_mass = targets.sum(axis=1, keepdims=True)

    def loss(flat: FloatArray) -> tuple[float, FloatArray]:
        table = flat.astype(np.float32).reshape(dimension + 1, labels)
        logits = vectors @ table[:-1]
        logits += table[-1]
        if task is Task.MULTI:
            cost, slope = _sigmoid_cost(logits, targets)
        else:
            cost, slope = _softmax_cost(logits, targets, target_mass)
        slope *= weights
        gradient = np.empty_like(table)
        gradient[:-1] = vectors.T @ slope + penalty * table[:-1]
        gradient[-1] = slope.sum(axis=0)
        total = float((cost * weights).sum()) + 0.5 * penalty * float((table[:-1] ** 2).sum())
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


def _sigmoid_cost(logits: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the binary cross-entropy of every cell and its slope by the logits, both (documents, labels)."""
    cost = np.asarray(np.logaddexp(0.0, logits) - targets * logits, np.float32)
    slope = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0))) - targets
    return cost, np.asarray(slope, np.float32)
