"""Made-up texts with spans, and a word encoder that needs no file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from training.preprocess.word_encoder import Halves
from training.preprocess.words import Places
from training.spans import SpanDataset
from training.tasks import JOINT, SPAN
from training.types import Answer, LabelSpec, Schema, Span

SCHEMA = Schema(SPAN, (LabelSpec("per", "Person"), LabelSpec("loc", "Place")))
NAMES = {"per": ("Anna", "Bob", "Zoë Bell", "Cleo"), "loc": ("Rome", "New York", "Köln", "Oslo")}
FILLER = ("went", "to", "saw", "and", "with", "yesterday", "👩‍👧", "the", "old", "house")


class LetterEncoder:
    """Stands in for an encoder: each word has a random direction of its own in every layer."""

    fingerprint = "1" * 64
    layers = 3
    dimension = 48

    def vectors(self, texts: Sequence[str], cuts: Sequence[Places]) -> list[Halves]:
        return [
            np.array([self._of(text[start:end]) for start, end in cut], np.float16).reshape(
                -1, self.dimension
            )
            for text, cut in zip(texts, cuts, strict=True)
        ]

    def _of(self, word: str) -> np.ndarray:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).normal(size=self.dimension)


def span_data(documents: int, seed: int = 0) -> SpanDataset:
    """Return texts of which two in three name somebody or some place."""
    rng = np.random.default_rng(seed)
    texts, answers = [], []
    for i in range(documents):
        text, spans = "", []
        for _ in range(i % 3):
            text += " ".join(rng.choice(FILLER, 2)) + " "
            label = str(rng.choice(list(NAMES)))
            name = str(rng.choice(NAMES[label]))
            spans.append(Span(len(text), len(text) + len(name), label))
            text += name + " "
        texts.append(text + " ".join(rng.choice(FILLER, 3)) + ".")
        answers.append(tuple(spans))
    return SpanDataset(SCHEMA, tuple(texts), tuple(answers))


def joint_data(documents: int, seed: int = 0) -> SpanDataset:
    """Return the same texts with labels of the whole: what they are about, by words that spans have not."""
    data = span_data(documents, seed)
    labels = (LabelSpec("home", "About a house"), LabelSpec("moves", "Somebody goes"))
    answers = [
        Answer(tuple(key for key, word in (("home", "house"), ("moves", "went")) if word in text), spans)
        for text, spans in zip(data.texts, data.spans, strict=True)
    ]
    of_spans = (replace(label, of_spans=True) for label in SCHEMA.labels)
    return JOINT.dataset((*labels, *of_spans), data.texts, answers)
