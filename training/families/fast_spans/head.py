"""Softmax regression over word features, by NumPy alone: a fit takes seconds and no deep-learning library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.types import FloatArray, IntArray, TrainingError

# Chosen on WNUT17 and NLU++ with 300, 1,000 and all texts.
_RATE, _BIAS_RATE, _DECAY = 3e-3, 1e-2, 0.3
_DROPOUT = 0.3
_BATCH = 64  # texts, of which each head has not seen a sixth
_PASSES, _LEAST_STEPS = 6, 150
_BETAS, _TINY = (0.9, 0.999), 1e-8

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class TagHead:
    """Weights (features, tags) and bias (tags,) of features as they come, standardisation included."""

    weights: FloatArray
    bias: FloatArray

    def logits(self, features: FloatArray) -> FloatArray:
        """Return (words, tags)."""
        return np.asarray(features @ self.weights + self.bias, np.float32)


@dataclass(frozen=True, slots=True)
class TaggedWords:
    """What a head learns from: standardised features and tags of all words, and where each text starts.

    `shares` are 0 and 1 where people say what a word is, and a teacher's probabilities elsewhere.
    """

    features: Halves  # (words, features)
    shares: FloatArray  # (words, tags)
    starts: IntArray  # (texts + 1,)
    mean: FloatArray  # (features,)
    scale: FloatArray  # (features,)

    def words_of(self, texts: IntArray) -> IntArray:
        """Return the rows of these texts' words."""
        parts = [np.arange(self.starts[i], self.starts[i + 1]) for i in texts]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def logits(self, head: TagHead, text: int) -> FloatArray:
        """Return what a head says of a text's words (words, tags)."""
        raw = self.features[self.starts[text] : self.starts[text + 1]].astype(np.float32) * self.scale
        return head.logits(raw + self.mean)


def standardised(features: Halves, shares: FloatArray, lengths: IntArray) -> TaggedWords:
    """Return the words of features as they come; `lengths` (texts,) are numbers of words.

    NB: `features` are changed, as they are the largest thing in memory.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    variance = np.zeros_like(mean)
    for start in range(0, len(features), 4096):
        variance += ((features[start : start + 4096] - mean) ** 2).sum(axis=0)
    scale = np.sqrt(variance / max(len(features), 1)) + 1e-3
    for start in range(0, len(features), 4096):
        part = features[start : start + 4096]
        part[:] = np.clip((part - mean) / scale, -60_000, 60_000)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return TaggedWords(features, shares, starts, mean.astype(np.float32), scale.astype(np.float32))


def fit_heads(
    words: TaggedWords, left_out: Sequence[IntArray], weights_of: FloatArray, *, seed: int
) -> list[TagHead]:
    """Return a head for each part that is left out, learned from all other texts.

    AdamW (Loshchilov and Hutter, 2019), rate to zero linearly. All heads go through the same batches at once,
    which costs little more than one, and skip the texts that they must not see. Texts count by `weights_of`.

    The bias starts at the log share of each tag. NB: from zero, AdamW needs hundreds of steps to learn that
    most words are in no span, and the features make up for it meanwhile: .38 instead of .56 on NLU++.
    """
    rng = np.random.default_rng(seed)
    lengths = np.diff(words.starts)
    texts = np.flatnonzero(lengths)
    if not len(texts):
        raise TrainingError("No text has a word, so there is nothing to learn from.")
    tags = words.shares.shape[1]
    sees = np.tile(weights_of.astype(np.float32)[:, None], len(left_out))  # (texts, heads)
    for head, part in enumerate(left_out):
        sees[part, head] = 0
    sees = np.repeat(sees, lengths, axis=0)  # (words, heads)
    shares = sees.T.astype(np.float64) @ words.shares + 0.5  # (heads, tags)
    shares /= shares.sum(axis=1, keepdims=True)
    weights = _Adam(np.zeros((words.features.shape[1], shares.size), np.float32), _RATE, _DECAY)
    bias = _Adam(np.log(shares).astype(np.float32).ravel(), _BIAS_RATE, 0.0)  # (heads x tags,)
    steps = max(_LEAST_STEPS, _PASSES * -(-len(texts) // _BATCH))
    order = np.zeros(0, np.int64)
    for step in range(steps):
        if len(order) < _BATCH:
            order = np.concatenate([order, rng.permutation(texts)])
        rows, order = words.words_of(order[:_BATCH]), order[_BATCH:]
        inputs = _dropped(words.features[rows], rng)  # (words, features)
        logits = (inputs @ weights.value + bias.value).reshape(len(rows), len(left_out), tags)
        errors = _softmax(logits) - words.shares[rows][:, None, :]
        errors *= (sees[rows] / np.maximum(sees[rows].sum(axis=0), 1))[:, :, None]
        flat = errors.reshape(len(rows), -1)
        weights.step(inputs.T @ flat, 1 - step / steps)
        bias.step(flat.sum(axis=0), 1 - step / steps)
    parts = zip(
        np.split(weights.value / words.scale[:, None], len(left_out), axis=1),
        np.split(bias.value, len(left_out)),
        strict=True,
    )
    return [TagHead(np.ascontiguousarray(own), shift - words.mean @ own) for own, shift in parts]


def averaged(heads: Sequence[TagHead]) -> TagHead:
    """Return the head that gives the mean of the logits of several."""
    weights = np.asarray(np.mean([head.weights for head in heads], axis=0), np.float32)
    return TagHead(weights, np.asarray(np.mean([head.bias for head in heads], axis=0), np.float32))


class _Adam:
    """One array that learns."""

    def __init__(self, value: FloatArray, rate: float, decay: float) -> None:
        self.value = value
        self._rate, self._decay, self._steps = rate, decay, 0
        self._mean, self._square = np.zeros_like(value), np.zeros_like(value)

    def step(self, gradient: FloatArray, share: float) -> None:
        """Go one step with a share of the learning rate."""
        self._steps += 1
        first, second = _BETAS
        self._mean += (1 - first) * (gradient - self._mean)
        self._square += (1 - second) * (gradient * gradient - self._square)
        rate = self._rate * share
        self.value *= 1 - rate * self._decay
        grown = np.sqrt(self._square / (1 - second**self._steps)) + _TINY
        self.value -= rate * self._mean / (1 - first**self._steps) / grown


def _dropped(features: Halves, rng: np.random.Generator) -> FloatArray:
    """Return features of which a share is zero and the rest is larger by as much.

    One random byte decides on each of them, which is several times as fast as a random number.
    """
    found = features.astype(np.float32)
    kept = np.frombuffer(rng.bytes(found.size), np.uint8).reshape(found.shape) >= round(256 * _DROPOUT)
    found *= kept
    found /= 1 - _DROPOUT
    return found


def _softmax(logits: FloatArray) -> FloatArray:
    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True), np.float32)
