"""What people have answered so far, one answer for each document, as the arrays that a run learns from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from annotate.models import Annotation, Document, Label, Project
from annotate.models.documents import Half, Lane
from annotate.task_types.answers import translated, without
from training.types import Answer, IntArray, LabelledTexts, LabelSpec, Pool

POOL_LIMIT = 100_000  # unlabelled documents that a run scores; with more the choice gets no better


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's answer, in the labels that the project still has."""

    answer: Answer
    is_gold: bool


@dataclass(frozen=True, slots=True)
class SnapshotSummary:
    """What a run's row keeps of the labels that it learns from; `TrainingRun.snapshot` stores it.

    `annotation` is the key of the newest answer that it knows. A run that was only opened knows nothing
    else. `encoder` is the fingerprint of the encoder that the run has tuned on these labels.
    """

    annotation: int = 0
    labelled: int | None = None
    tuning: int | None = None
    reporting: int | None = None
    pool: int | None = None
    labels: tuple[int, ...] | None = None
    encoder: str | None = None

    @classmethod
    def load(cls, content: Mapping[str, Any]) -> Self:
        """Read a stored summary; what was not stored is not known, and an unknown key is left out."""
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        return cls(**known | ({"labels": tuple(known["labels"])} if known.get("labels") else {}))

    def dump(self) -> dict[str, Any]:
        """Return the summary as `json.dumps` takes it, without what is not known yet."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @property
    def is_taken(self) -> bool:
        """Whether a worker has read the labels already."""
        return self.labelled is not None


Texts = TypeVar("Texts", bound=LabelledTexts)


@dataclass(frozen=True, slots=True)
class Snapshot(Generic[Texts]):
    """Labelled documents by lane, the unlabelled pool, and the newest annotation among them.

    The form of the labelled texts is that of the project's task.
    """

    label_ids: tuple[int, ...]
    dataset: Texts
    document_ids: IntArray  # (labelled pool documents,)
    tuning: Texts
    reporting: Texts
    pool_ids: IntArray  # (unlabelled pool documents,)
    newest: int
    taken_at: datetime

    @property
    def pool_texts(self) -> tuple[str, ...]:
        return self.dataset.pool.texts if self.dataset.pool else ()

    def only(self, rows: NDArray[np.bool_]) -> Snapshot[Texts]:
        """Return the snapshot with these rows (pool documents,) of its pool only."""
        texts = tuple(text for text, kept in zip(self.pool_texts, rows, strict=True) if kept)
        return replace(self, dataset=self.dataset.with_pool(Pool(texts)), pool_ids=self.pool_ids[rows])

    def summary(self) -> SnapshotSummary:
        """Return the counts that the run's row keeps."""
        return SnapshotSummary(
            annotation=self.newest,
            labelled=len(self.dataset),
            tuning=len(self.tuning),
            reporting=len(self.reporting),
            pool=len(self.pool_ids),
            labels=self.label_ids,
        )


def take(*, project: Project, until: int | None = None) -> Snapshot[Any]:
    """Read the project as it stands, without archived labels and documents that only had those.

    With `until`, annotations newer than that one stay out as well.
    """
    taken_at = timezone.now()
    # In the order of their keys: how a lead orders them on pages makes no model another one.
    labels = list(project.labels.live().order_by("of_spans", "pk"))
    of: dict[str, Any] = {"project": project} | ({} if until is None else {"pk__lte": until})
    newest, cast = votes(project, labels={label.pk for label in labels}, **of)
    answers = {document: resolve(project, of_one) for document, of_one in cast.items()}
    lanes: dict[str, list[tuple[int, str]]] = defaultdict(list)
    documents = Document.objects.filter(project=project).order_by("lane", "sha256")
    for key, lane, half, text in documents.values_list("pk", "lane", "half", "text"):
        if key in answers:
            lanes[half or Lane.POOL].append((key, text))
        elif lane == Lane.POOL and len(lanes["unlabelled"]) < POOL_LIMIT:
            lanes["unlabelled"].append((key, text))
    learned = tuple(
        LabelSpec(str(label.pk), label.name, label.description, label.of_spans) for label in labels
    )

    def texts(lane: str, pool: Pool | None = None) -> LabelledTexts:
        rows = lanes[lane]
        said = [answers[key] for key, _ in rows]
        return project.task_type.task.dataset(learned, [text for _, text in rows], said, pool)

    return Snapshot(
        label_ids=tuple(label.pk for label in labels),
        dataset=texts(Lane.POOL, Pool(tuple(text for _, text in lanes["unlabelled"]))),
        document_ids=_keys(lanes[Lane.POOL]),
        tuning=texts(Half.TUNING),
        reporting=texts(Half.REPORTING),
        pool_ids=_keys(lanes["unlabelled"]),
        newest=newest,
        taken_at=taken_at,
    )


def holdout(project: Project) -> dict[int, tuple[str, Answer]]:
    """Return the half and the answer of each holdout document that has one, by key."""
    labels = set(project.labels.live().values_list("pk", flat=True))
    of: dict[str, Any] = {"project": project, "document__lane": Lane.HOLDOUT}
    _newest, cast = votes(project, labels=labels, **of)
    halves = dict(project.documents.filter(lane=Lane.HOLDOUT).values_list("pk", "half"))
    return {key: (halves[key], resolve(project, of_one)) for key, of_one in cast.items() if key in halves}


def votes(project: Project, /, *, labels: set[int], **of: Any) -> tuple[int, dict[int, list[Vote]]]:
    """Return the newest answer's key, and the answers that count by document, the oldest first.

    `of` narrows the annotations down, and `labels` are those that the project still offers: an answer that
    only had others is none. A merged label counts as what it became, before a worker has changed its answers.
    """
    answered = Annotation.objects.answered().filter(**of)
    rows = list(answered.order_by("updated_at", "pk").values_list("pk", "document", "is_gold"))
    said = answered.answers(*project.task_type.answer_rows)
    became = Label.objects.successors(project.pk)
    found: dict[int, list[Vote]] = defaultdict(list)
    for key, document, is_gold in rows:
        answer = without(translated(said[key], became), labels)
        if not project.task_type.task.fault(answer):
            found[document].append(Vote(answer, is_gold))
    return max((row[0] for row in rows), default=0), dict(found)


def resolve(project: Project, cast: Sequence[Vote]) -> Answer:
    """Return a document's one answer: a gold one counts alone; else the task makes one of all of them."""
    gold = next((vote.answer for vote in cast if vote.is_gold), None)
    return gold if gold is not None else project.task_type.task.agreed([vote.answer for vote in cast])


def _keys(rows: list[tuple[int, str]]) -> IntArray:
    return np.array([key for key, _ in rows], np.int64)
