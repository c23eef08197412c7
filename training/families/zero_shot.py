"""No labels yet: each text is compared with what the labels are called and how they are described."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np

from training.families._graphs import write_vector_graph
from training.families._heads import Head, activate
from training.families._names import name_vectors
from training.preprocess.encoder import EncoderPreprocessor
from training.types import (
    Dataset,
    Embedder,
    Exported,
    FloatArray,
    Json,
    LabelSchema,
    LabelSpec,
    Pool,
    Task,
    TrainingError,
)

FILE = "names.json"
WEIGHTS = "weights.npz"

# Chosen once over BANKING77, GoEmotions and both domains of NLU++; the defaults where nobody can tune.
_SCALE = {Task.SINGLE: 15.0, Task.MULTI: 12.0}
_CUT = 0.2  # the cosine with a centred name from which a label of a multi-label task is decided
_CUT_OVER_LEVEL = 0.03  # the same where the label's level in the pool is known and taken off

_SAMPLE = 5_000  # pool texts that tell the levels
_FEWEST = 100  # pool texts; fewer say nothing of a level
_NEAREST = 5  # of them at least make a label's level


class ZeroShotModel:
    """Cosine similarity of a text's vector and each label's, which is the mean over its phrases.

    Labels of documents are never looked at, so a dataset may be empty. An unlabelled pool helps: a name
    that is near to every text is held back by half the mean similarity of its nearest texts (CSLS: Conneau
    et al., 2018). In a multi-label task the mean of all names is taken off each, which leaves what tells
    them apart; in a single-label task labels compete, and what they share cancels by itself. `scale` 0 is
    the task's default.
    """

    def __init__(self, *, embedder: Embedder, seed: int = 0, scale: float = 0.0) -> None:
        self.embedder = embedder
        self.seed = seed
        self.scale = scale

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Read the names, and the pool where there is one; `valid` and all targets are not looked at."""
        self._check(dataset.schema)
        self.schema_ = dataset.schema
        names = name_vectors(dataset.schema, self.embedder)
        if dataset.schema.task is Task.MULTI:
            names = _centred(names)
        levels = self._levels(dataset.pool, names)
        scale = self.scale or _SCALE[dataset.schema.task]
        self.head_ = Head(scale * names.T, -scale * self._cuts(levels))
        self.details_ = {"levels_from": "names alone" if levels is None else "pool"}
        return self

    def _check(self, schema: LabelSchema) -> None:
        if self.scale < 0:
            raise TrainingError("The scale must not be negative.")
        least = 2 if schema.task is Task.SINGLE else 1
        if len(schema) < least:
            raise TrainingError(f"There are {len(schema)} labels; name at least {least} to compare with.")

    def _levels(self, pool: Pool | None, names: FloatArray) -> FloatArray | None:
        """Return half the mean similarity (labels,) of each label's nearest pool texts."""
        if pool is None or len(pool.texts) < _FEWEST:
            return None
        size = min(len(pool.texts), _SAMPLE)
        chosen = np.random.default_rng(self.seed).choice(len(pool.texts), size, replace=False)
        near = self.embedder.embed([pool.texts[i] for i in chosen]) @ names.T  # (texts, labels)
        count = max(_NEAREST, size // len(names) // 2)  # half of what an even split would give the label
        best = np.sort(near, axis=0)[-count:]
        return np.asarray(0.5 * best.mean(axis=0), np.float32)

    def _cuts(self, levels: FloatArray | None) -> FloatArray:
        """Return the cosine (labels,) at which a label's logit is 0."""
        multi = self.schema_.task is Task.MULTI
        if levels is None:
            return np.full(len(self.schema_), _CUT if multi else 0.0, np.float32)
        return levels + np.float32(_CUT_OVER_LEVEL if multi else 0.0)

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return scores (texts, labels) in [0, 1]; how often they are right is for calibration to learn."""
        return activate(self.schema_.task, self.head_.logits(self.embedder.embed(texts)))

    def save(self, folder: Path) -> None:
        """Write names as vectors, the schema, and which encoder they belong to."""
        self._describe(folder)
        np.savez(folder / WEIGHTS, weights=self.head_.weights, bias=self.head_.bias)

    @classmethod
    def load(cls, folder: Path, *, embedder: Embedder) -> Self:
        """Read what `save` wrote; an embedder of another encoder is a `TrainingError`."""
        content, head = _read(folder)
        if content["encoder"] != embedder.fingerprint:
            raise TrainingError(
                f"The model in {folder} needs the vectors of the encoder {content['encoder'][:12]}."
            )
        model = cls(embedder=embedder)
        labels = tuple(LabelSpec(**label) for label in content["labels"])
        model.schema_ = LabelSchema(Task(content["task"]), labels)
        model.head_, model.details_ = head, content["details"]
        return model

    def export(self, folder: Path) -> Exported:
        """Write the comparison as a graph of `vectors` (rows, dimension) of the encoder that it names."""
        write_vector_graph(folder, self.schema_.task, self.head_.weights, self.head_.bias)
        EncoderPreprocessor(self.embedder.fingerprint).save(folder)
        precision = str(getattr(self.embedder, "precision", "fp32"))
        return Exported("encoder", encoder=self.embedder.fingerprint, precision=precision)

    def _describe(self, folder: Path) -> None:
        content = {
            "task": self.schema_.task,
            "labels": [asdict(label) for label in self.schema_.labels],
            "encoder": self.embedder.fingerprint,
            "details": self.details_,
        }
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _centred(names: FloatArray) -> FloatArray:
    """Return unit vectors without what all names share; a single one has nothing to be told from."""
    if len(names) < 2:
        return names
    apart = names - names.mean(axis=0)
    length = np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)
    return np.asarray(apart / length, np.float32)


def _read(folder: Path) -> tuple[dict[str, Json], Head]:
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
            return content, Head(arrays["weights"], arrays["bias"])
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{folder} holds no model of the zero-shot family ({error}).") from error
