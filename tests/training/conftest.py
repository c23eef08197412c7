"""Small made-up data: separable enough to learn from, and the same in every run."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.families.checkpoints import write_tiny_checkpoint
from training.tasks import MULTI, SINGLE
from training.types import Dataset, FloatArray, LabelSchema, LabelSpec, Task

WORDS = {
    "card": ("card", "chip", "contactless", "plastic"),
    "transfer": ("transfer", "send", "payee", "iban"),
    "rate": ("rate", "exchange", "currency", "euro"),
}
FILLER = ("please", "my", "the", "why", "is", "today", "again", "help")


class WordEmbedder:
    """Stands in for an encoder: a text is the sum of random directions of its words, so it needs no file."""

    fingerprint = "0" * 64
    dimension = 32

    def embed(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.lower().split() or ["-"]:
                seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
                row += np.random.default_rng(seed).normal(size=self.dimension)
            row /= np.linalg.norm(row)
        return vectors


def make_dataset(task: Task, documents: int, seed: int = 0) -> Dataset:
    """Return texts about cards, transfers and rates; a multi-label text is about none, one or two of them."""
    rng = np.random.default_rng(seed)
    schema = LabelSchema(task, tuple(LabelSpec(key, key.title()) for key in WORDS))
    texts, answers = [], []
    for i in range(documents):
        topics = 1 if task is SINGLE else i % 3
        answer = sorted(rng.choice(list(WORDS), size=topics, replace=False).tolist())
        words = [str(rng.choice(WORDS[key])) for key in answer] + rng.choice(FILLER, size=4).tolist()
        texts.append(" ".join(rng.permutation(words)))
        answers.append(answer)
    return Dataset(schema, tuple(texts), schema.encode(answers))


def write_csv(path: Path, dataset: Dataset, separator: str = "|") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for text, row in zip(dataset.texts, dataset.targets, strict=True):
            keys = [dataset.schema.keys[j] for j in np.flatnonzero(row)]
            writer.writerow([text, separator.join(keys)])
    return path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint of a few hundred KB with random weights, for the transformer family."""
    words = (*FILLER, *(word for group in WORDS.values() for word in group))
    return str(write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), words))


@pytest.fixture
def params(checkpoint: str) -> dict[str, Any]:
    """Settings by which the transformer family learns from the made-up data within a second."""
    return {"checkpoint": checkpoint, "learning_rate": 1e-2, "epochs": 6, "overlap": 4, "int8": False}


@pytest.fixture
def embedder() -> WordEmbedder:
    return WordEmbedder()


@pytest.fixture(params=[SINGLE, MULTI], ids=lambda task: task.key)
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


@pytest.fixture
def dataset(task: Task) -> Dataset:
    return make_dataset(task, 90)
