"""What the published model says of every document, those that people label next first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from annotate.models import (
    Document,
    Label,
    ModelVersion,
    PredictedLabel,
    Prediction,
    Project,
    TrainingRun,
)
from annotate.models.documents import Lane
from annotate.models.versions import Sample
from annotate.services.corpus import vector_store, word_vectors
from annotate.services.versions import samples
from annotate.services.versions.loaded_bundles import suited
from annotate.services.versions.samples import DrawnScores
from annotate.task_types.answers import confidence_of, told_in, with_best
from training.bundles.cascade import open_predictor
from training.bundles.span_predictor import SpanPredictor
from training.registry import FAMILIES
from training.types import Answer, Embedder, FloatArray, TrainingError

CHUNK = 250  # rows of one transaction: on SQLite, annotators wait while one is written
PAUSE_SECONDS = 0.02  # between two transactions, so that an annotator who waits gets the lock
KEPT_SCORES = 5
KEPT_WORDS = 10_000  # documents: of more, their words would drive those out of the store that runs learn from
FIELDS = ["project", "version", "answer", "confidence", "margin"]


Hear = Callable[[Sequence[Prediction]], None]


def hears_nothing(rows: Sequence[Prediction]) -> None:
    pass


def prelabel(
    *,
    version: ModelVersion,
    tell: Callable[[float], None] = lambda done: None,
    hear: Hear = hears_nothing,
    only_new: bool = False,
) -> int:
    """Predict documents by a published version as `rescore` does; return how many.

    Raises `TrainingError` where its bundle or its encoder is broken: the predictions of the version before
    stay, and the run says so.
    """
    try:
        embedder = embedder_of(version)
        return rescore(
            project=version.project,
            version=version,
            embedder=embedder,
            tell=tell,
            hear=hear,
            only_new=only_new,
        )
    except TrainingError as error:
        sentence = _(
            "Version %(number)s cannot predict, so suggestions stay those of the version before: %(why)s"
        )
        told = sentence % {"number": version.number, "why": error}
        TrainingRun.objects.filter(versions=version).update(error=told)
        raise TrainingError(told) from error


def embedder_of(version: ModelVersion) -> Embedder | None:
    """Return the encoder whose stored vectors a version reads; None where it reads none."""
    # A cascade is no family of the registry; its encoder is loaded because one of its parts may need it.
    if version.family in FAMILIES and not FAMILIES[version.family].reads_vectors:
        return None
    return vector_store.embedder(version.encoder) if vector_store.any_for(project=version.project) else None


def rescore(
    *,
    project: Project,
    version: ModelVersion,
    embedder: Embedder | None = None,
    tell: Callable[[float], None] = lambda done: None,
    hear: Hear = hears_nothing,
    only_new: bool = False,
) -> int:
    """Write the version's prediction of every document, those in the queue first; return how many.

    With `only_new` those that have no prediction yet. `hear` is told of the first prediction of documents in
    a project that had predictions before.
    A version that only guesses is silent about some texts (see `bundles.familiar`): they have no prediction.
    `tell` hears before each chunk which share is done, and may raise to end it. Stops where another version
    has been published meanwhile: that one writes its own.
    """
    waiting = project.assignments.waiting().order_by("rank").values_list("document", flat=True)
    documents = Document.objects.filter(project=project).order_by("-lane", "sha256")
    if only_new:
        documents = documents.filter(prediction=None)
    wanted = documents.values_list("pk", flat=True)
    keys = list(wanted if only_new else dict.fromkeys([*waiting, *wanted]))
    is_first = not Prediction.objects.filter(project=project).exists()
    says: _Decisions | _SpanAnswers
    if version.tags_words:
        says = _SpanAnswers(version)
    else:
        says = _Decisions(version, embedder, samples.draw(documents.filter(lane=Lane.POOL)))
    written = 0
    for start in range(0, len(keys), CHUNK):
        tell(start / len(keys))
        if not ModelVersion.objects.published().filter(pk=version.pk).exists():
            return written
        chunk = keys[start : start + CHUNK]
        known = set(Prediction.objects.filter(document__in=chunk).values_list("document", flat=True))
        rows = says.predictions(chunk)
        _forget({*chunk} - {row.document_id for row in rows})
        with transaction.atomic():
            Prediction.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["document"], update_fields=FIELDS
            )
            PredictedLabel.keep(rows)
        written += len(rows)
        if not is_first and (new := [row for row in rows if row.document_id not in known]):
            hear(new)
        time.sleep(PAUSE_SECONDS)
    if not only_new:
        says.keep_sample()
    return written


class _Decisions:
    """What a version says of whole documents."""

    def __init__(self, version: ModelVersion, embedder: Embedder | None, drawn: DrawnScores) -> None:
        self._version, self._drawn = version, drawn
        self._predictor = open_predictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        self._embedder = suited(self._predictor, embedder)

    def predictions(self, keys: list[int]) -> list[Prediction]:
        version, predictor = self._version, self._predictor
        texts = _texts(keys)
        known = predictor.knows(list(texts.values()), embedder=self._embedder)
        texts = {key: text for (key, text), is_known in zip(texts.items(), known, strict=True) if is_known}
        scores = predictor.predict_proba(list(texts.values()), embedder=self._embedder)
        self._drawn.note(list(texts), scores)
        became = Label.objects.successors(version.project_id)
        labels = [became.get(int(key), int(key)) for key in predictor.schema.keys]
        task = predictor.schema.task
        decisions = predictor.decide(scores)
        sure, margins = task.confidence(scores), task.margin(scores, predictor.thresholds)
        return [
            Prediction(
                project_id=version.project_id,
                document_id=key,
                version=version,
                confidence=round(float(sure[i]), 4) if version.calibrated else None,
                margin=round(float(margins[i]), 4) if version.calibrated else None,
                answer=best_of(labels, row, decided=decided).told(calibrated=version.calibrated),
            )
            for i, (key, row, decided) in enumerate(zip(texts, scores, decisions, strict=True))
        ]

    def keep_sample(self) -> None:
        """Keep the scores of a part of the pool, from which pages compare and tune the version."""
        scored = self._drawn.scored(self._predictor)
        samples.keep(version=self._version, sample=Sample.POOL, scored=scored)


class _SpanAnswers:
    """What a version finds in documents. How sure it is of one is how sure it is of its least sure span."""

    def __init__(self, version: ModelVersion) -> None:
        self._version = version
        self._predictor = SpanPredictor(version.checked_folder(), encoder_root=settings.ENCODER_ROOT)
        self._words = None
        if version.encoder and version.project.documents.count() <= KEPT_WORDS:
            self._words = word_vectors.of(version.project, version.encoder)

    def predictions(self, keys: list[int]) -> list[Prediction]:
        version, texts = self._version, _texts(keys)
        became = Label.objects.successors(version.project_id)
        today = {key: became.get(int(key), int(key)) for key in self._predictor.schema.keys}
        answers = self._predictor.answers(list(texts.values()), encoder=self._words)
        named = (with_best(told_in(answer, today), KEPT_SCORES) for answer in answers)
        said = [answer.told(calibrated=version.calibrated) for answer in named]
        return [
            Prediction(
                project_id=version.project_id,
                document_id=key,
                version=version,
                confidence=confidence_of(answer),
                answer=answer,
            )
            for key, answer in zip(texts, said, strict=True)
        ]

    def keep_sample(self) -> None:
        """Keep nothing: spans have no scores of whole documents."""


def _texts(keys: list[int]) -> dict[int, str]:
    return dict(Document.objects.filter(pk__in=keys).order_by("pk").values_list("pk", "text"))


def best_of(
    labels: Sequence[int], scores: FloatArray, *, decided: Sequence[int], kept: Sequence[int] = ()
) -> Answer:
    """Return one document's answer with its best few scores (labels,).

    The columns `decided` and `kept` have theirs as well, where they are not among the best few.
    """
    best = np.argsort(-scores, kind="stable")[:KEPT_SCORES].tolist()
    others = sorted({*decided, *kept} - {*best}, key=lambda j: -scores[j])
    return Answer(
        labels=tuple(dict.fromkeys(labels[j] for j in decided)),
        scores=_first_of_each((labels[j], round(float(scores[j]), 4)) for j in [*best, *others]),
    )


def _first_of_each(scores: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Keep the best score of labels that were merged since the version learned them."""
    best: dict[int, float] = {}
    for label, score in scores:
        best.setdefault(label, score)
    return tuple(best.items())


@transaction.atomic
def _forget(documents: set[int]) -> None:
    """Remove what an earlier version said of documents that this one is silent about."""
    stale = Prediction.objects.filter(document__in=documents)
    # In the order of their keys, as new ones are written.
    list(stale.select_for_update().order_by("pk").values_list("pk"))
    stale.delete()
