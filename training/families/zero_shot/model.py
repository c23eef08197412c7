"""No labels yet: each text is compared with what the labels are called and how they are described."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.encoders.names import name_vectors
from training.families.shared.graphs import write_vector_graph
from training.families.shared.heads import Head, activate
from training.preprocess.encoder import EncoderPreprocessor
from training.types import (
    Dataset,
    Embedder,
    Exported,
    FloatArray,
    LabelSchema,
    LabelSpec,
    Pool,
    ScoreKind,
    TrainingError,
)

FILE = "names.json"

# These were chosen once over BANKING77, GoEmotions and both domains of NLU++, as there is nothing to tune on.
_SCALE = {ScoreKind.EXCLUSIVE: 15.0, ScoreKind.INDEPENDENT: 12.0}
# A label of a multi-label task is decided from this cosine on. It is less by the second number where all of
# the names' mean is taken off. The next two are the same where the label's level in the pool is taken off.
_CUT, _CUT_LESS = 0.33, 0.13
_CUT_OVER_LEVEL, _CUT_OVER_LEVEL_LESS = 0.08, 0.05
_FEW_LABELS = 8  # with so many labels, half of the names' mean is taken off

_SAMPLE = 5_000  # pool texts give the levels of the labels
_FEWEST = 100  # pool texts are needed; fewer tell nothing of a level
_NEAREST = 5  # texts at least make the level of a label


class ZeroShotModel:
    """Cosine similarity of a text's vector and each label's, which is the mean over its phrases.

    Labels of documents are never looked at, so a dataset may be empty. An unlabelled pool helps: a name
    that is near to every text is held back by half the mean similarity of its nearest texts (CSLS: Conneau
    et al., 2018). In a multi-label task the mean of all names is taken off each, which leaves what tells
    them apart, the less so the fewer they are: two names without their mean would exclude each other. In a
    single-label task labels compete, and what they share cancels by itself. `scale` 0 is the task's default.
    """

    def __init__(self, *, embedder: Embedder, seed: int = 0, scale: float = 0.0) -> None:
        self.embedder = embedder
        self.seed = seed
        self.scale = scale

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Read the names, and the pool if there is one; `valid` and all targets are not looked at."""
        schema = dataset.schema
        if self.scale < 0:
            raise TrainingError("The scale must not be negative.")
        if len(schema) < (least := schema.task.least_labels):
            raise TrainingError(f"There are {len(schema)} labels; name at least {least} to compare with.")
        self.schema_ = schema
        names = name_vectors(schema, self.embedder)
        count = len(names)
        share = 0.0 if count < 2 else count / (count + _FEW_LABELS)  # of what all names have in common
        if not schema.task.exclusive:
            apart = names - share * names.mean(axis=0)
            length = np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-12)
            names = np.asarray(apart / length, np.float32)
        levels = self._levels(dataset.pool, names)
        cuts = np.zeros(count, np.float32) if levels is None else levels  # where a label's logit is 0
        if not schema.task.exclusive:
            cut, less = (_CUT, _CUT_LESS) if levels is None else (_CUT_OVER_LEVEL, _CUT_OVER_LEVEL_LESS)
            cuts = cuts + np.float32(cut - less * share)
        scale = self.scale or _SCALE[schema.task.score_kind]
        self.head_ = Head(scale * names.T, -scale * cuts)
        self.details_ = {"levels_from": "names alone" if levels is None else "pool"}
        return self

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

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return scores (texts, labels) in [0, 1]; how often they are right is for calibration to learn."""
        return activate(self.schema_.task, self.head_.logits(self.embedder.embed(texts)))

    def save(self, folder: Path) -> None:
        """Write names as vectors, the schema, and which encoder they belong to."""
        content = {
            "task": self.schema_.task.key,
            "labels": [asdict(label) for label in self.schema_.labels],
            "encoder": self.embedder.fingerprint,
            "details": self.details_,
        }
        (folder / FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
        self.head_.save(folder)

    @classmethod
    def load(cls, folder: Path, *, embedder: Embedder) -> Self:
        """Read what `save` wrote; an embedder of another encoder is a `TrainingError`."""
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            labels = tuple(LabelSpec(**label) for label in content["labels"])
            schema, details = (
                LabelSchema(tasks.find_for_documents(content["task"]), labels),
                dict(content["details"]),
            )
            encoder, head = str(content["encoder"]), Head.load(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{folder} holds no model of the zero-shot family ({error}).") from error
        if encoder != embedder.fingerprint:
            raise TrainingError(f"The model in {folder} needs the vectors of the encoder {encoder[:12]}.")
        model = cls(embedder=embedder)
        model.schema_, model.head_, model.details_ = schema, head, details
        return model

    def export(self, folder: Path) -> Exported:
        """Write the comparison as a graph of `vectors` (rows, dimension) of the encoder that it names."""
        write_vector_graph(folder, self.schema_.task, self.head_.weights, self.head_.bias)
        EncoderPreprocessor(self.embedder.fingerprint).save(folder)
        precision = str(getattr(self.embedder, "precision", "fp32"))
        return Exported("encoder", encoder=self.embedder.fingerprint, precision=precision)
