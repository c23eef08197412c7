"""Answers of the published version. Its number is looked up per request, so a new one serves at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.conf import settings
from django.utils.translation import gettext as _

from annotate.models import Document, Label, ModelVersion, Prediction, Project
from annotate.services.sentences import translated
from annotate.services.versions import explanations, guesses, publication
from annotate.services.versions.explanations import LabelReason, reasons
from annotate.services.versions.loaded_bundles import PredictorCache
from annotate.task_types.answers import told_in
from training.bundles.bundle import BundleError
from training.bundles.cascade import CHEAP, STRONG, CascadePredictor, Serving
from training.bundles.serving import Served
from training.bundles.span_predictor import SpanPredictor
from training.types import Answer, FloatArray

logger = logging.getLogger(__name__)

CACHE = PredictorCache(size=8)
MOST_NGRAMS = 5  # that the API tells of one reason
MOST_ON_CARD = 3
FALLBACKS = 3  # how many earlier versions are tried where the published one cannot be loaded


class NothingPublished(Exception):
    """The project has no published version; the message says what to do."""


class NothingServes(Exception):
    """Neither the published version nor an earlier one can be loaded."""


@dataclass(frozen=True, slots=True)
class TextPrediction:
    """One text's answer: the decided labels and the calibrated scores of all, best first, or the spans.

    `reasons` are those of the decided labels, or of the best one where none is decided; None where they were
    not asked for or the version cannot tell. `answered_by` names the part of a cascade, "cheap" or "strong".
    The answer is empty where the version is silent, as one that only guesses is about a strange text. Of one
    that `is_abstained` it tells what would be decided, which the version is too unsure of.
    """

    answer: Answer
    reasons: tuple[LabelReason, ...] | None = None
    answered_by: str = ""
    is_silent: bool = False
    is_abstained: bool = False


@dataclass(frozen=True, slots=True)
class Predictions:
    """`thresholds` is empty where none is applied: a single-label decision is the best score.

    `guess` says what answers without a calibrated score are called; it is empty where scores are confidences.

    `warning` tells why an earlier version answered in place of the published one.
    """

    version: int
    family: str
    labels: dict[int, str]
    thresholds: dict[int, float]
    texts: tuple[TextPrediction, ...]
    guess: str = ""
    warning: str = ""


def predict(*, project: Project, texts: Sequence[str], explain: bool = False) -> Predictions:
    version, predictor, warning = _serving(project)
    names, became = Label.objects.names_today(project.pk)
    today = [became.get(pk, pk) for pk in version.label_ids]
    labels = {pk: names[pk] for pk in dict.fromkeys(today) if pk in names}
    columns = [pk if pk in labels else None for pk in today]
    if isinstance(predictor, SpanPredictor):
        answers = _with_spans(predictor, texts, columns)
    else:
        answers = _with_labels(predictor, texts, columns)
    answers = [replace(text, answer=text.answer.told(calibrated=version.calibrated)) for text in answers]
    if explain:
        said = [text.answer for text in answers]
        asked = [[int(pk) for pk in answer.labels or dict(answer.scores[:1])] for answer in said]
        told = reasons(predictor=predictor, label_ids=today, texts=texts, asked=asked, most=MOST_NGRAMS)
        if told is not None:
            answers = [replace(text, reasons=why) for text, why in zip(answers, told, strict=True)]
    thresholds = {}
    if (
        not isinstance(predictor, SpanPredictor)
        and predictor.schema.task.has_thresholds
        and version.calibrated
    ):
        thresholds = {
            pk: float(threshold)
            for pk, threshold in zip(columns, predictor.thresholds, strict=True)
            if pk is not None
        }
    return Predictions(
        version=version.number,
        family=version.family,
        labels=labels,
        thresholds=thresholds,
        texts=tuple(answers),
        guess=guesses.called(version),
        warning=warning,
    )


def reasons_of(
    *, version: ModelVersion | None, text: str, label_ids: Sequence[int]
) -> tuple[LabelReason, ...] | None:
    """Return why a version suggests these labels for a text; None where it cannot tell or is gone."""
    if version is None or not version.bundle:
        return None
    became = Label.objects.successors(version.project_id)
    today = [became.get(pk, pk) for pk in version.label_ids]
    asked = [became.get(pk, pk) for pk in label_ids]
    if not set(asked) <= set(today):
        return None
    try:
        predictor = _load(version)
    except BundleError:
        logger.exception("Version %s cannot explain its suggestion", version.number)
        return None
    told = reasons(
        predictor=predictor,
        label_ids=today,
        texts=[text],
        asked=[asked],
        most=MOST_ON_CARD,
    )
    return None if told is None else told[0]


def reasons_of_document(document: Document) -> list[tuple[str, list[explanations.ShownNgram]]]:
    """Return the words that decided a document's prediction; none where that cannot be told."""
    prediction = Prediction.objects.filter(document=document).select_related("version").first()
    if prediction is None or not explanations.may_explain(prediction.version_id):
        return []
    names = dict(Label.objects.live().filter(project=document.project_id).values_list("pk", "name"))
    best = [label for label, _score in prediction.answer.scores[:1]]
    asked = [int(label) for label in prediction.answer.labels or best if label in names]
    told = reasons_of(version=prediction.version, text=document.text, label_ids=asked) or ()
    return explanations.named(told, names, text=document.text)


def warning(*, project: Project) -> str:
    """Say what is wrong with the published bundle; nothing where it serves or none is published."""
    try:
        return _serving(project)[2]
    except NothingPublished:
        return ""
    except NothingServes as error:
        return str(error)


def _serving(project: Project) -> tuple[ModelVersion, Served, str]:
    version = ModelVersion.objects.published().filter(project=project).first()
    if version is None:
        raise NothingPublished(_("This project has no published model yet; label more, then ask again."))
    try:
        return version, _load(version), ""
    except BundleError as error:
        logger.exception("Version %s of project %s cannot be served", version.number, project.slug)
        reason = translated(str(error))
    for earlier in publication.served_before(project=project)[:FALLBACKS]:
        try:
            predictor = _load(earlier)
        except BundleError:
            continue
        sentence = _("Version %(broken)s cannot be loaded, version %(number)s answers in its place.")
        return earlier, predictor, sentence % {"broken": version.number, "number": earlier.number}
    raise NothingServes(
        _("Version %(number)s cannot be loaded and no earlier one serves: %(reason)s")
        % {"number": version.number, "reason": reason}
    )


def _load(version: ModelVersion) -> Served:
    return CACHE.get(version, encoder_root=settings.ENCODER_ROOT)


def _with_labels(
    predictor: Serving, texts: Sequence[str], columns: Sequence[int | None]
) -> list[TextPrediction]:
    if isinstance(predictor, CascadePredictor):
        found = predictor.answer(list(texts))
        answers = [
            replace(text, answered_by=STRONG if by_strong else CHEAP)
            for text, by_strong in zip(_read(predictor, found.scores, columns), found.by_strong, strict=True)
        ]
    else:
        answers = _read(predictor, predictor.predict_proba(list(texts)), columns)
    return [
        text if is_known else replace(text, answer=Answer(), is_silent=True)
        for text, is_known in zip(answers, predictor.knows(texts), strict=True)
    ]


def _with_spans(
    predictor: SpanPredictor, texts: Sequence[str], columns: Sequence[int | None]
) -> list[TextPrediction]:
    """Return what is found in labels of today; nothing is told of one that is archived or deleted."""
    today = dict(zip(predictor.schema.keys, columns, strict=True))
    return [TextPrediction(told_in(answer, today)) for answer in predictor.answers(texts)]


def _read(predictor: Serving, scores: FloatArray, columns: Sequence[int | None]) -> list[TextPrediction]:
    """Name the columns; one whose label is archived or deleted is never decided nor told.

    Several columns have one name where their labels were merged since; the best of their scores is told.
    """
    rows, unsure = [], predictor.abstains(scores)
    scores[:, [j for j, pk in enumerate(columns) if pk is None]] = -1.0
    for decided, row, is_unsure in zip(predictor.decide(scores), scores, unsure, strict=True):
        best: dict[int, float] = {}
        for j in (-row).argsort(kind="stable"):
            if (pk := columns[j]) is not None:
                best.setdefault(pk, float(row[j]))
        named = dict.fromkeys(pk for j in decided if (pk := columns[j]) is not None)
        answer = Answer(labels=tuple(named), scores=tuple(best.items()))
        rows.append(TextPrediction(answer, is_abstained=bool(is_unsure)))
    return rows
