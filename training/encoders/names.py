"""What a label is called, as text that an encoder can read: one more training example for each label."""

from __future__ import annotations

import re

import numpy as np

from training.types import Embedder, FloatArray, LabelSchema, LabelSpec

# Twenty sets of phrases were measured on BANKING77, GoEmotions and NLU++; this one is good on all of them.
_PHRASES = ("{}", "I am writing about {}.", "I have a question about {}.", "I feel {}.")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINTS = re.compile(r"[\W_]+")


def readable(name: str) -> str:
    """Return a name as words: `card_arrival`, `card-arrival` and `cardArrival` are all "card arrival"."""
    return _JOINTS.sub(" ", _HUMP.sub(" ", name)).strip()


def phrases(label: LabelSpec) -> list[str]:
    """Return the texts that stand for a label: its name in a few phrasings, and its description."""
    name = readable(label.name) or label.name
    found = [phrase.format(name) for phrase in _PHRASES]
    if label.description.strip():
        found += [label.description.strip(), f"{name}: {label.description.strip()}"]
    return found


def name_vectors(schema: LabelSchema, embedder: Embedder) -> FloatArray:
    """Return one unit vector for each label (labels, dimension): the mean over its phrases."""
    texts = [phrases(label) for label in schema.labels]
    flat = embedder.embed([text for group in texts for text in group])
    means = [group.mean(axis=0) for group in np.split(flat, np.cumsum([len(group) for group in texts])[:-1])]
    stacked = np.stack(means)
    length: FloatArray = np.maximum(np.linalg.norm(stacked, axis=1, keepdims=True), 1e-12)
    return np.asarray(stacked / length, np.float32)
