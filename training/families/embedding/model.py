"""A frozen encoder with a head, taught by labels, by their names, and by the unlabelled pool."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from training import tasks
from training.encoders.names import name_vectors
from training.encoders.neighbours import smooth
from training.encoders.vectors import knows_labels
from training.families.embedding.choice import ENOUGH, choose_parts, possible_parts, usual_parts
from training.families.embedding.recipe import (
    Material,
    Parts,
    fit_plain,
    fit_student,
    fit_teacher,
    rebalanced,
    seen_by_teacher,
)
from training.families.shared.graphs import read_vector_graph, write_vector_graph
from training.families.shared.heads import FILE as WEIGHTS
from training.families.shared.heads import Head, activate
from training.families.shared.imbalance import BALANCED, NONE, SMOTE, UNDERSAMPLE, check_imbalance
from training.families.shared.teaching import with_scores, with_surest
from training.families.shared.trees import FILE as TREES
from training.families.shared.trees import TreeHead, fit_trees, write_vector_trees
from training.preprocess.encoder import EncoderPreprocessor
from training.preprocess.windows import reading_shares
from training.types import (
    Dataset,
    Embedder,
    Exported,
    FloatArray,
    IntArray,
    LabelSchema,
    LabelSpec,
    TrainingError,
)

LOGISTIC, LIGHTGBM = "logistic", "lightgbm"
HEADS = (LOGISTIC, LIGHTGBM)
IMBALANCES = (NONE, BALANCED, UNDERSAMPLE, SMOTE)
_FOLD_POOL = 2_000  # pool documents that the student of one fold learns from
_FILE = "recipe.json"


@dataclass(frozen=True, slots=True)
class Memory:
    """What one run hands to the next: a fitted head and how it was fitted.

    `parts` were chosen from those `offered` when there were `decided_at` labelled documents.
    """

    schema: LabelSchema
    encoder: str
    parts: Parts
    offered: Parts
    decided_at: int
    head: Head | TreeHead


class EmbeddingModel:
    """Logistic regression on sentence vectors, or boosted trees, which learn from labels alone.

    *Names*: each label's name is one more training example, and before the first label the whole model.
    *Neighbours*: a teacher learns and scores the pool on vectors mixed with those of their neighbours.
    *Student*: the published head learns from people's labels and, with less weight, from the teacher's.
    Each is used unless it loses in cross-validation (see `choose_parts`), and each can be switched off.
    `penalty` 0 lets cross-validation choose. `imbalance` is what is done where labels are rare.
    """

    def __init__(
        self,
        *,
        embedder: Embedder,
        seed: int = 0,
        previous: Path | None = None,
        head: str = LOGISTIC,
        imbalance: str = NONE,
        names: bool = True,
        neighbours: bool = True,
        student: bool = True,
        penalty: float = 0.0,
    ) -> None:
        """Store the settings; `previous` is a folder of this family's to start warm from."""
        self.embedder = embedder
        self.seed = seed
        self.previous = previous
        self.head = head
        self.imbalance = imbalance
        self.names = names
        self.neighbours = neighbours
        self.student = student
        self.penalty = penalty

    def fit(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn the head; `valid` is not looked at."""
        self._check(dataset)
        self.schema_ = dataset.schema
        n, pool, wanted = len(dataset), dataset.pool, self._wanted()
        vectors = self.embedder.embed(dataset.texts + (pool.texts if pool else ()))
        smoothed = (
            smooth(vectors, pool.neighbours) if pool and pool.neighbours and wanted.neighbours else None
        )
        self._material = Material(
            task=dataset.schema.task,
            vectors=vectors[:n],
            targets=dataset.targets,
            names=name_vectors(dataset.schema, self.embedder) if wanted.names else None,
            smoothed=None if smoothed is None else smoothed[:n],
            pool=vectors[n:] if pool else None,
            smoothed_pool=None if smoothed is None else smoothed[n:],
        )
        memory = _recall(self.previous, dataset.schema, self.embedder.fingerprint)
        self._decide(memory, n)
        parts, rng = self.parts_, np.random.default_rng(self.seed)
        start = memory.head if memory and isinstance(memory.head, Head) else None
        material = rebalanced(self._material, self.imbalance, rng)
        self._teacher = None
        if (parts.neighbours or parts.student) and material.pool is not None:
            self._teacher = fit_teacher(material, parts)
        self.head_: Head | TreeHead
        if self.head == LIGHTGBM:
            self.head_ = self._grow(material)
        elif self._teacher is None or not parts.student:
            self.head_ = fit_plain(material, parts, start=start)
        else:
            self.head_ = fit_student(material, parts, self._teacher, rng, start=start)
        self.details_ = asdict(self.parts_) | {"parts_decided_at": self.decided_at_}
        self.details_ |= reading_shares(self.embedder, dataset.texts)
        return self

    def fit_softly(self, dataset: Dataset, *, valid: Dataset) -> Self:
        """Learn from a teacher's probabilities too; trees from its surest decisions."""
        joined = with_scores(dataset) if self.head == LOGISTIC else with_surest(dataset)
        return self.fit(joined, valid=valid)

    def _check(self, dataset: Dataset) -> None:
        if self.head not in HEADS:
            raise TrainingError(f"There is no head {self.head!r}; choose one of {', '.join(HEADS)}.")
        check_imbalance(self.imbalance, IMBALANCES, "embedding")
        if self.penalty < 0:
            raise TrainingError("The penalty must not be negative.")
        if len(dataset.schema) < (least := dataset.schema.task.least_labels):
            raise TrainingError(f"This task needs at least {least} labels; add another one.")
        if self._wanted().names and len(dataset.schema):
            return
        used = int(dataset.targets.any(axis=0).sum())
        if used < 2 and dataset.schema.task.exclusive:
            raise TrainingError(
                "Documents of at least two labels are needed; label some of another one first."
            )
        if not used:
            raise TrainingError("No labelled document has any label; label some that do first.")

    def _wanted(self) -> Parts:
        linear = self.head == LOGISTIC
        return Parts(self.names and linear, self.neighbours and linear, self.student and linear, self.penalty)

    def _decide(self, memory: Memory | None, documents: int) -> None:
        """Choose the parts anew where the labels have grown by half since they were chosen.

        NB: with an encoder that was tuned on these labels each part looks useless, because its vectors of the
        labelled documents lie apart already. The usual parts are better there.
        """
        self._offered = possible_parts(self._material, self._wanted())
        is_due = memory is None or (
            self._offered != memory.offered
            or documents >= max(ENOUGH, 1.5 * memory.decided_at)
            or documents < memory.decided_at
        )
        if self.head == LIGHTGBM:
            self.parts_, self.decided_at_ = self._offered, documents
        elif knows_labels(self.embedder):
            self.parts_, self.decided_at_ = usual_parts(self._material, self._wanted()), documents
        elif memory and not is_due:
            self.parts_, self.decided_at_ = memory.parts, memory.decided_at
        else:
            self.parts_ = choose_parts(self._material, self._wanted(), np.random.default_rng(self.seed))
            self.decided_at_ = documents

    def _grow(self, material: Material) -> TreeHead:
        weights = material.weighed()
        return fit_trees(material.task, material.vectors, material.targets, weights, seed=self.seed)

    def predict_proba(self, texts: tuple[str, ...]) -> FloatArray:
        """Return probabilities (texts, labels)."""
        return activate(self.schema_.task, self.head_.logits(self.embedder.embed(texts)))

    def pool_scores(self) -> FloatArray:
        """Return the teacher's scores (pool texts, labels) where there is one, else the head's."""
        if self._material.pool is None:
            raise TrainingError("The model was fitted without a pool, so there is none to score.")
        if self._teacher is None:
            return activate(self.schema_.task, self.head_.logits(self._material.pool))
        seen = seen_by_teacher(self._material, self.parts_)[1]
        assert seen is not None
        return activate(self.schema_.task, self._teacher.logits(seen))

    def out_of_fold(self, folds: IntArray) -> FloatArray:
        """Return scores (documents, labels), each by a head that learned without the document's fold.

        Texts that only a teacher labelled come after the documents; they are in no fold, and each head learns
        from them.
        """
        scores = np.zeros((len(folds), len(self.schema_)), np.float32)
        taught = np.arange(len(folds), len(self._material.targets))
        for fold in np.unique(folds):
            held = np.flatnonzero(folds == fold)
            rng = np.random.default_rng(self.seed)
            rows = np.concatenate([np.flatnonzero(folds != fold), taught])
            learn = rebalanced(self._material.rows(rows), self.imbalance, rng)
            head: Head | TreeHead
            if self.head == LIGHTGBM:
                head = self._grow(learn)
            elif self._teacher is None or not self.parts_.student:
                head = fit_plain(learn, self.parts_)
            else:
                teacher = fit_teacher(learn, self.parts_)
                head = fit_student(learn, self.parts_, teacher, rng, limit=_FOLD_POOL)
            scores[held] = head.logits(self._material.vectors[held])
        return activate(self.schema_.task, scores)

    def save(self, folder: Path) -> None:
        """Write weights, schema, parts and which encoder they belong to."""
        self._remember(folder)
        self.head_.save(folder)

    @classmethod
    def load(cls, folder: Path, *, embedder: Embedder) -> Self:
        """Read what `save` wrote; an embedder of another encoder is a `TrainingError`."""
        memory = _read_memory(folder)
        if memory.encoder != embedder.fingerprint:
            raise TrainingError(
                f"The model in {folder} needs the vectors of the encoder {memory.encoder[:12]}."
            )
        trees = isinstance(memory.head, TreeHead)
        model = cls(embedder=embedder, head=LIGHTGBM if trees else LOGISTIC)
        model.schema_, model.head_, model.parts_ = memory.schema, memory.head, memory.parts
        model._offered, model.decided_at_ = memory.offered, memory.decided_at
        return model

    def _remember(self, folder: Path) -> None:
        fingerprint = self.embedder.fingerprint
        memory = Memory(self.schema_, fingerprint, self.parts_, self._offered, self.decided_at_, self.head_)
        _remember(memory, folder)

    def export(self, folder: Path) -> Exported:
        """Write the head's graph; its input is `vectors` (rows, dimension) of the encoder it names."""
        task = self.schema_.task
        EncoderPreprocessor(self.embedder.fingerprint).save(folder)
        if isinstance(self.head_, TreeHead):
            write_vector_trees(folder, task, self.head_, self.embedder.dimension)
        else:
            write_vector_graph(folder, task, self.head_.weights, self.head_.bias)
            self._remember(folder)
        precision = str(getattr(self.embedder, "precision", "fp32"))
        note = str(getattr(self.embedder, "note", ""))
        return Exported("encoder", encoder=self.embedder.fingerprint, precision=precision, note=note)


def _remember(memory: Memory, folder: Path) -> None:
    """Write all but the weights as JSON."""
    content = {
        "task": memory.schema.task.key,
        "labels": [asdict(label) for label in memory.schema.labels],
        "encoder": memory.encoder,
        "parts": asdict(memory.parts),
        "offered": asdict(memory.offered),
        "decided_at": memory.decided_at,
    }
    (folder / _FILE).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def _read_memory(folder: Path) -> Memory:
    """Read what `_remember` and a saved or exported head left in `folder`."""
    try:
        content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        labels = tuple(LabelSpec(**label) for label in content["labels"])
        head: Head | TreeHead
        if (folder / TREES).exists():
            head = TreeHead.load(folder)
        else:  # what `export` left has the weights in the graph alone
            head = Head.load(folder) if (folder / WEIGHTS).exists() else Head(*read_vector_graph(folder))
        return Memory(
            schema=LabelSchema(tasks.find_for_documents(content["task"]), labels),
            encoder=str(content["encoder"]),
            parts=Parts(**content["parts"]),
            offered=Parts(**content["offered"]),
            decided_at=int(content["decided_at"]),
            head=head,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder} holds no model of the embedding family ({error}).") from error


def _recall(folder: Path | None, schema: LabelSchema, encoder: str) -> Memory | None:
    """Return what an earlier run left, its weights in the order of `schema`; None if it is of no use.

    An earlier run only saves time, so nothing is lost where it is gone, unreadable or of another encoder.
    """
    if folder is None:
        return None
    try:
        memory = _read_memory(folder)
    except TrainingError:
        return None
    if (
        memory.encoder != encoder
        or memory.schema.task is not schema.task
        or isinstance(memory.head, TreeHead)
    ):
        return None
    # Columns are put in the order of `schema`; a new label starts at zero.
    old = {key: j for j, key in enumerate(memory.schema.keys)}
    kept = [(j, old[key]) for j, key in enumerate(schema.keys) if key in old]
    new = [j for j, _ in kept]
    weights = np.zeros((len(memory.head.weights), len(schema)), np.float32)
    bias = np.zeros(len(schema), np.float32)
    weights[:, new] = memory.head.weights[:, [j for _, j in kept]]
    bias[new] = memory.head.bias[[j for _, j in kept]]
    head = Head(weights, bias)
    return Memory(schema, encoder, memory.parts, memory.offered, memory.decided_at, head)
