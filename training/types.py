"""The values that travel between the parts of `training` and to the site: frozen, typed, light to import."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
Json = Any  # what `json.dumps` takes; a recursive type would need a cast at every use and finds few errors


class TrainingError(Exception):
    """A training step that cannot go on; the message is a sentence that the lead reads as it is."""


class Objective(StrEnum):
    """What a label's threshold is tuned to."""

    F1 = "f1"
    FBETA = "fbeta"
    PRECISION = "precision"


class ScoreKind(StrEnum):
    """What the scores of one document mean: which families and query strategies suit a task."""

    EXCLUSIVE = "exclusive"  # one label is right, so the scores add up to 1
    INDEPENDENT = "independent"  # each label is a yes or no of its own
    WORDS = "words"  # each word of it has scores of its own, from which stretches of text follow
    BOTH = "both"  # labels that are each a yes or no of their own, and scores of its words


@dataclass(frozen=True, slots=True)
class Span:
    """A labelled piece of a text: [start, end) in Unicode code points."""

    start: int
    end: int
    label: str | int


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says of one document: a person's decision, a model's prediction, an LLM's reply.

    `labels` are keys of labels: strings in a schema, integers in the site's database. `scores` gives a
    model's (label, score) pairs: first one for each of `spans` in their order, then those of labels of the
    whole document, best first. It is empty where people answer; a score is None where the model's scores only
    rank (see `told`). No label and no span is an answer as well: nothing applies. This is the one form that
    decisions, predictions, suggestions, cards, the API and exports share; `dump` and `load` are its JSON,
    from which empty parts but `labels` are left out.
    """

    labels: tuple[str | int, ...] = ()
    spans: tuple[Span, ...] = ()
    scores: tuple[tuple[str | int, float | None], ...] = ()

    @property
    def span_scores(self) -> tuple[tuple[str | int, float | None], ...]:
        """A model's score of each of the spans, in their order."""
        return self.scores[: len(self.spans)]

    @property
    def label_scores(self) -> tuple[tuple[str | int, float | None], ...]:
        """A model's scores of labels of the whole document, the best first."""
        return self.scores[len(self.spans) :]

    def told(self, *, calibrated: bool) -> Self:
        """Return what people and programs may be told of it: scores that were not calibrated only rank.

        Such a score says nothing of how often it is right, so no page and no API may show it as a share.
        """
        if calibrated:
            return self
        return replace(self, scores=tuple((label, None) for label, _score in self.scores))

    def dump(self) -> dict[str, Json]:
        content: dict[str, Json] = {"labels": list(self.labels)}
        if self.spans:
            content["spans"] = [[span.start, span.end, span.label] for span in self.spans]
        if self.scores:
            content["scores"] = [[label, score] for label, score in self.scores]
        return content

    @classmethod
    def load(cls, content: Mapping[str, Json]) -> Self:
        """Return what `dump` wrote; an unknown part is a `ValueError`, as it would be lost silently."""
        if unknown := set(content) - {"labels", "spans", "scores"}:
            raise ValueError(f"An answer has no part {sorted(unknown)[0]!r}.")
        return cls(
            labels=tuple(content.get("labels", ())),
            spans=tuple(Span(start, end, label) for start, end, label in content.get("spans", ())),
            scores=tuple(
                (label, None if score is None else float(score)) for label, score in content.get("scores", ())
            ),
        )

    @property
    def choice(self) -> tuple[frozenset[str | int], frozenset[Span]]:
        """What it says, whatever the order and however sure it is."""
        return frozenset(self.labels), frozenset(self.spans)

    def same_choice(self, other: Answer) -> bool:
        """Tell whether both say the same, whatever the order and however sure they are."""
        return self.choice == other.choice


class Task(ABC):
    """What one answer of a project is, and what follows from that alone: one object for each task.

    What is made of scores differs by what the scores belong to: `DocumentTask` has it for whole documents.
    `training.tasks` has the objects; no other code asks for a task by its name.
    """

    key: ClassVar[str]
    """The name in bundles, databases and addresses; it never changes."""
    score_kind: ClassVar[ScoreKind]
    has_thresholds: ClassVar[bool]
    """Whether decisions depend on a threshold of each label."""
    least_labels: ClassVar[int]
    """How many labels a project needs before there is anything to decide."""
    default_strategy: ClassVar[str]
    """The query strategy of a project whose lead chose none: a key of the registry."""

    @property
    def exclusive(self) -> bool:
        """Whether exactly one label of a document is right."""
        return self.score_kind is ScoreKind.EXCLUSIVE

    @abstractmethod
    def fault(self, answer: Answer) -> str:
        """Return why no document can have this answer, as a sentence; "" where it can."""

    @abstractmethod
    def dataset(
        self,
        labels: tuple[LabelSpec, ...],
        texts: Sequence[str],
        answers: Sequence[Answer],
        pool: Pool | None = None,
    ) -> LabelledTexts:
        """Return what a model learns from: texts with their answers in keys of these labels."""

    def strategy(self, labelled: LabelledTexts, fair: Sequence[LabelledTexts]) -> str:
        """Return the query strategy of a project whose lead chose none, by what it has labelled so far.

        `fair` are labelled texts that no strategy chose.
        """
        return self.default_strategy

    def agreed(self, answers: Sequence[Answer]) -> Answer:
        """Return what several people's answers to one document come to; the latest is the last.

        It is the answer that most of them gave, and of equally many the latest.
        """
        votes = [sum(other.same_choice(answer) for other in answers) for answer in answers]
        return answers[max(range(len(answers)), key=lambda i: (votes[i], i))]


class DocumentTask(Task):
    """A task whose labels stand for whole documents. Arrays are (documents, labels) in schema order."""

    instruction: ClassVar[str]
    """What an LLM is told of the answer that it is to give."""

    def dataset(
        self,
        labels: tuple[LabelSpec, ...],
        texts: Sequence[str],
        answers: Sequence[Answer],
        pool: Pool | None = None,
    ) -> Dataset:
        schema = LabelSchema(self, labels)
        return Dataset(schema, tuple(texts), schema.encode(map(str, one.labels) for one in answers), pool)

    @abstractmethod
    def decide(self, scores: FloatArray, thresholds: FloatArray) -> NDArray[np.bool_]:
        """Return decisions (documents, labels) of calibrated scores; `thresholds` is (labels,)."""

    @abstractmethod
    def calibrate(self, scores: FloatArray, targets: FloatArray) -> Mapping[str, Json]:
        """Return the calibration that suits raw validation scores, for `figures.calibration.apply`."""

    @abstractmethod
    def tune(
        self, scores: FloatArray, targets: FloatArray, objective: Objective, value: float = 1.0
    ) -> FloatArray:
        """Return thresholds (labels,) that suit calibrated validation scores; zeros where none apply."""

    @abstractmethod
    def is_enough_to_tune(self, targets: FloatArray) -> bool:
        """Tell whether so many documents calibrate and tune without others beside them."""

    @abstractmethod
    def confidence(self, scores: FloatArray) -> FloatArray:
        """Return how likely (documents,) the whole answer is right by calibrated scores."""

    @abstractmethod
    def margin(self, scores: FloatArray, thresholds: FloatArray) -> FloatArray:
        """Return how far (documents,) calibrated scores are from another answer; 0 is undecided."""

    @abstractmethod
    def judged(self, scores: FloatArray, targets: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the scores that a decision rests on and whether each was right, both (judged,)."""

    @abstractmethod
    def confusion(
        self, targets: FloatArray, decisions: NDArray[np.bool_]
    ) -> tuple[tuple[int, ...], ...] | None:
        """Return how many documents of label i were decided as label j; None where that has no meaning."""

    @abstractmethod
    def reply_schema(self, names: Sequence[str]) -> dict[str, Json]:
        """Return the JSON schema properties of an LLM's reply in the labels' names."""

    @abstractmethod
    def reply(self, names: Sequence[str]) -> dict[str, Json]:
        """Return the reply that gives these labels."""

    @abstractmethod
    def read_reply(self, content: Json) -> tuple[str, ...]:
        """Return the label names of a reply; `ValueError` with a sentence where it has another shape."""


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """One label: a key that never changes, the name that people see, and a description that models read.

    `of_spans` is told where a task has labels of both kinds: whether this one stands for pieces of a text.
    """

    key: str
    name: str
    description: str = ""
    of_spans: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The labels of a task in their fixed order."""

    task: Task
    labels: tuple[LabelSpec, ...]

    def __post_init__(self) -> None:
        keys = [label.key for label in self.labels]
        if len(set(keys)) != len(keys):
            raise TrainingError(f"Label keys repeat: {sorted({k for k in keys if keys.count(k) > 1})}.")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(label.key for label in self.labels)

    def dump(self) -> dict[str, Json]:
        """Return the schema as bundles store it."""
        kept = [
            {name: value for name, value in asdict(label).items() if name != "of_spans" or value}
            for label in self.labels
        ]
        return {"task": self.task.key, "labels": kept}


@dataclass(frozen=True, slots=True)
class LabelSchema(Schema):
    """The schema of labels of whole documents; column `j` of every score array is `labels[j]`."""

    task: DocumentTask

    def encode(self, answers: Iterable[Iterable[str]]) -> FloatArray:
        """Return the 0/1 targets `(documents, labels)` of answers given as label keys.

        Raises `TrainingError` for a key that is not in the schema, or an answer that the task does not take.
        """
        column = {key: j for j, key in enumerate(self.keys)}
        rows = [list(answer) for answer in answers]
        targets = np.zeros((len(rows), len(self)), dtype=np.float32)
        for i, answer in enumerate(rows):
            if fault := self.task.fault(Answer(tuple(answer))):
                raise TrainingError(f"Document {i}: {fault}")
            for key in answer:
                if key not in column:
                    raise TrainingError(f"Document {i} has the label {key!r}, which is not in the schema.")
                targets[i, column[key]] = 1.0
        return targets


class LabelledTexts(Protocol):
    """Texts with their answers, in the form that models of a task learn from."""

    @property
    def schema(self) -> Schema:
        """The labels that answers are given in."""

    @property
    def texts(self) -> tuple[str, ...]: ...

    @property
    def pool(self) -> Pool | None:
        """The unlabelled texts beside them, if any."""

    @property
    def label_counts(self) -> IntArray:
        """How often (labels,) each label was given."""

    def with_pool(self, pool: Pool) -> Self:
        """Return the same beside another pool."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest rows of each row in one corpus: `indices` and cosine `similarities`, both (rows, k)."""

    indices: IntArray
    similarities: FloatArray


@dataclass(frozen=True, slots=True)
class Pool:
    """Unlabelled texts beside a dataset.

    `neighbours` is over the corpus "the dataset's texts, then these texts", in that order, or None where
    they are not computed yet.
    """

    texts: tuple[str, ...]
    neighbours: Neighbours | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """What a teacher says of unlabelled texts: calibrated `scores` and 0/1 `decisions`, (texts, labels).

    No model is measured, calibrated or tuned on it: only the labels of people are the truth.
    """

    texts: tuple[str, ...]
    scores: FloatArray
    decisions: FloatArray


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled texts: `targets` is 0/1 of shape (documents, labels) in schema order.

    A single-label dataset is one-hot. An empty one serves a family that can start from label names alone;
    others raise `TrainingError`. `taught` is learned from as well.
    """

    schema: LabelSchema
    texts: tuple[str, ...]
    targets: FloatArray
    pool: Pool | None = None
    taught: Taught | None = None

    def __post_init__(self) -> None:
        expected = (len(self.texts), len(self.schema))
        if self.targets.shape != expected:
            raise TrainingError(f"Targets have the shape {self.targets.shape}, expected {expected}.")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def label_counts(self) -> IntArray:
        """How many documents (labels,) have each label."""
        return np.asarray(self.targets.sum(axis=0), np.int64)

    def with_pool(self, pool: Pool) -> Self:
        """Return the same documents beside another pool."""
        return replace(self, pool=pool)


class Embedder(Protocol):
    """Turns texts into unit-length vectors; the same text always gives the same vector."""

    @property
    def fingerprint(self) -> str:
        """The checksum of the encoder file that the vectors come from."""

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Return vectors of shape (texts, dimension)."""


ProgressCallback = Callable[[str, float], None]
"""Called with a stage name and the fraction done in [0, 1]; what it raises ends the run."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What to train: a family of the registry, its parameters, and how thresholds are tuned.

    `objective_value` is beta for FBETA and the wanted precision for PRECISION. Under the confidence
    `abstain_below` the bundle leaves texts undecided. `previous` is the folder of an earlier bundle of the
    same family to start warm from, if there is one. In `scratch` a family that trains for long keeps the
    state that a killed run goes on from; the caller removes it after the run.
    """

    family: str
    params: Mapping[str, Json] = field(default_factory=dict)
    objective: Objective = Objective.F1
    objective_value: float = 1.0
    abstain_below: float = 0.0
    seed: int = 0
    previous: Path | None = None
    scratch: Path | None = None


@dataclass(frozen=True, slots=True)
class ClassReport:
    """One label's figures on the reporting documents; None where they are no figures ("not measurable yet").

    That is without support, or on too few documents. `hits` of the `support` documents were given the label,
    which `decided` documents were given altogether.
    """

    key: str
    threshold: float
    support: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None
    hits: int = 0
    decided: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures on held-out documents, with 95 % intervals as `figures.intervals` makes them.

    Macro-F1 averages the labels that have support. Every figure is None where fewer documents were reported
    on than `figures.evidence` asks for.
    `confusion[i][j]` counts documents of label i decided as label j (single-label only, else None).
    """

    documents: int
    macro_f1: float | None
    macro_f1_low: float | None
    macro_f1_high: float | None
    micro_f1: float | None
    per_class: tuple[ClassReport, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    calibration_error: float | None
    micro_f1_low: float | None = None
    micro_f1_high: float | None = None
    judged_by: str = "macro_f1"
    """Which of the two models are compared by, or "both"."""

    @property
    def judged(self) -> float | None:
        """The figure that models are compared by; of both it is the mean, None where one is missing."""
        if self.judged_by == "both":
            return mean_of_both(self.macro_f1, self.micro_f1)
        return self.micro_f1 if self.judged_by == "micro_f1" else self.macro_f1

    @property
    def figure(self) -> str:
        """What that figure is called."""
        if self.judged_by == "both":
            return "mean of macro-F1 and entity F1"
        return "entity F1" if self.judged_by == "micro_f1" else "macro-F1"


def mean_of_both(labels: float | None, spans: float | None) -> float | None:
    """Return the figure that a model of labels and spans is judged by; None where a half has none."""
    return None if labels is None or spans is None else (labels + spans) / 2


@dataclass(frozen=True, slots=True)
class Exported:
    """What a family wrote beside `model.onnx`: the kind of preprocessing that reads its files.

    `encoder` is the fingerprint of the frozen encoder that turns texts into vectors, where one does.
    """

    preprocessing: str  # a key of `training.preprocess.KINDS`
    encoder: str | None = None
    precision: str = "fp32"  # or "int8"
    note: str = ""


@dataclass(frozen=True, slots=True)
class NgramWeight:
    """An n-gram of a text and what it adds to a label's score before the activation; below 0: against it.

    `span` is where it first stands, [start, end) in characters; None where that cannot be told.
    """

    ngram: str
    contribution: float
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class GraphFigures:
    """One graph's figures; `macro_f1` is None where too few documents, or none with a label, were compared.

    `p50_ms` is of single texts on one thread, by turns with the other graph.
    """

    macro_f1: float | None
    p50_ms: float
    graph_bytes: int


@dataclass(frozen=True, slots=True)
class Int8Twin:
    """Both graphs of one model on the same `documents`, whichever of the two is served.

    Where no document was `held_out`, they are those that the model learned from: then only the difference
    of the macro-F1 means something.
    """

    documents: int
    int8: GraphFigures
    fp32: GraphFigures
    held_out: bool = True

    @property
    def macro_f1_loss(self) -> float:
        """How much macro-F1 INT8 loses."""
        return (self.fp32.macro_f1 or 0.0) - (self.int8.macro_f1 or 0.0)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote, as manifests and reports keep it."""
        graphs = {name: GraphFigures(**content[name]) for name in ("int8", "fp32")}
        return cls(documents=content["documents"], held_out=content.get("held_out", True), **graphs)


@dataclass(frozen=True, slots=True)
class Parity:
    """How well a bundle agrees with the model that it was exported from, on held-out texts.

    `same_decisions` is as `evaluate.agreement` counts it; `twin` has what INT8 costs and brings, None where
    no INT8 graph was tried.
    """

    documents: int
    max_difference: float
    same_decisions: float
    precision: str  # "fp32" or "int8"
    note: str = ""
    twin: Int8Twin | None = None


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What was said of labelled documents by models that had not learned them.

    `rows` (scored,) of the dataset have calibrated `scores`, 0/1 `decisions` and the `targets` that they were
    learned with, all (scored, labels). `suspects` (scored,) probably have a wrong label; none has where a
    document takes any number of labels.
    """

    rows: IntArray
    scores: FloatArray
    decisions: NDArray[np.bool_]
    targets: FloatArray
    suspects: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run yields besides its bundle folder.

    `pool_scores` are the scores (pool texts, labels) by which the next batch is to be chosen; they may come
    from a stronger model than the one in the bundle. None without a pool. `out_of_fold` is None where the
    run had no folds.
    """

    bundle: Path
    evaluation: Evaluation
    parity: Parity
    thresholds: tuple[float, ...]
    labelled: int
    fit_seconds: float
    bundle_bytes: int
    pool_scores: FloatArray | None = None
    out_of_fold: OutOfFold | None = None
    details: Mapping[str, Json] = field(default_factory=dict)
