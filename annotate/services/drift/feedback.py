"""Feedback: programs say afterwards what was right, which becomes annotations and how often the model is."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import AskedText, Document, Feedback, Label, ModelVersion, Project, User
from annotate.models.annotations import Outcome, Source
from annotate.models.documents import Lane
from annotate.services.drift import prediction_ids
from annotate.services.drift.prediction_ids import PredictionName
from annotate.services.imports.upsert import IncomingDocument, recorded, store_rows
from annotate.services.labeling import api_decisions, places
from annotate.task_types import answers
from training.figures import evidence
from training.types import Answer

WITHIN = timedelta(days=30)
VERSIONS = 5  # newest ones with feedback, whose live accuracy is shown


class FeedbackRefused(Exception):
    """A sentence about one id of a request; `place` counts from 0."""

    def __init__(self, place: int, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


class FeedbackDiffers(FeedbackRefused):
    """The prediction has another right answer already."""


@dataclass(frozen=True, slots=True)
class GivenFeedback:
    """What came of it; `why_counted` says why there is no annotation, and is empty where there is one."""

    row: Feedback
    why_counted: str


def give(*, project: Project, by: User, right: Sequence[tuple[str, Answer]]) -> list[GivenFeedback]:
    """Keep right answers by the ids of predictions; the same again changes nothing.

    All ids are looked at before anything is kept. Raises `FeedbackRefused` and `decisions.Rejected`.
    """
    names = [_read(project, place, name) for place, (name, _answer) in enumerate(right)]
    _check_known(project, names, [answer for _name, answer in right])
    _make_documents(project, by, {name.sha256 for name in names})
    documents = _documents(project, names)
    versions = {
        version.number: version
        for version in project.versions.filter(number__in={name.version for name in names}).defer("report")
    }
    became = Label.objects.successors(project.pk)
    return [
        _keep(project, by, name, answer, documents.get(name.sha256), versions.get(name.version), became)
        for name, (_id, answer) in zip(names, right, strict=True)
    ]


def _read(project: Project, place: int, written: str) -> PredictionName:
    try:
        name = prediction_ids.read(project, written)
    except prediction_ids.UnknownPrediction as error:
        sentence = _("There is no prediction with this id in this project: send it as `predict` answered it.")
        raise FeedbackRefused(place, sentence) from error
    if timezone.now() - name.predicted_at > WITHIN:
        sentence = _("This prediction is older than %(days)s days, for which feedback is taken.")
        raise FeedbackRefused(place, sentence % {"days": WITHIN.days})
    return name


def _check_known(project: Project, names: Sequence[PredictionName], right: Sequence[Answer]) -> None:
    """Refuse a second, different answer to a prediction, in one request or in two."""
    kept = dict(
        Feedback.objects.filter(project=project, prediction__in={name.digest for name in names}).values_list(
            "prediction", "right"
        )
    )
    for place, (name, answer) in enumerate(zip(names, right, strict=True)):
        if not kept.setdefault(name.digest, answer).same_choice(answer):
            raise FeedbackDiffers(
                place,
                _("This prediction has another right answer already. Annotate its document to revise that."),
            )


def _make_documents(project: Project, by: User, digests: set[str]) -> None:
    """Make documents of the texts that are kept and that the project does not have yet.

    They were chosen by whoever sends feedback, so that none is drawn for the holdout.
    """
    there = project.documents.filter(sha256__in=digests).values_list("sha256", flat=True)
    asked = AskedText.objects.filter(project=project, sha256__in=digests - {*there}).order_by("pk")
    texts = {row.sha256: (row.text, row.created_at) for row in asked}
    if not texts:
        return
    rows = (
        IncomingDocument(
            text=text, meta={_("asked by a program"): timezone.localdate(at).isoformat()}, number=number
        )
        for number, (text, at) in enumerate(texts.values(), 1)
    )
    store_rows(project=project, rows=rows, holds_out=False, on_chunk=recorded(project=project, by=by))


def _documents(project: Project, names: Sequence[PredictionName]) -> Mapping[str, Document]:
    """Return the oldest document of each text by the text's digest."""
    rows = project.documents.filter(sha256__in={name.sha256 for name in names}).select_related("project")
    return {document.sha256: document for document in rows.order_by("-pk")}


@transaction.atomic
def _keep(
    project: Project,
    by: User,
    name: PredictionName,
    answer: Answer,
    document: Document | None,
    version: ModelVersion | None,
    became: Mapping[int, int],
) -> GivenFeedback:
    places.wanted(project)  # NB: that lock comes before all others
    said = answers.translated(name.said, became)
    row, is_new = Feedback.objects.get_or_create(
        prediction=name.digest,
        defaults={
            "project": project,
            "version": version,
            "predicted_at": name.predicted_at,
            "said": said,
            "right": answer,
            "is_right": said.same_choice(answer),
            "by": by,
        },
    )
    why = _why_counted(document)
    if is_new and document is not None and not why:
        row.annotation = api_decisions.submit(
            document=document,
            annotator=by,
            key=uuid.uuid5(uuid.NAMESPACE_OID, name.digest),
            outcome=Outcome.ANSWERED,
            answer=answer,
            source=Source.FEEDBACK,
        )
        row.save(update_fields=["annotation"])
    return GivenFeedback(row, "" if row.annotation_id else why)


def _why_counted(document: Document | None) -> str:
    if document is None:
        return _(
            "It counts for live accuracy alone, as the text is not kept: a lead sets on the page “Drift” "
            "until when texts are."
        )
    if document.lane == Lane.HOLDOUT:
        return _(
            "It counts for live accuracy alone, as the text is in the holdout: answers there must not "
            "depend on what somebody has sent back."
        )
    return ""


@dataclass(frozen=True, slots=True)
class LiveAccuracy:
    """How often a version was right where somebody said so; `low` and `high` are a 95 % Wilson interval.

    The three shares are None below the number of answers that makes a figure.
    """

    version: int
    answers: int
    right: int
    share: float | None
    low: float | None
    high: float | None


def live_accuracy(project: Project) -> list[LiveAccuracy]:
    """Return the figures of the newest versions with feedback, the newest first."""
    counted = project.feedback.exclude(version=None).order_by().values_list("version__number")
    rows = counted.annotate(n=Count("pk"), right=Count("pk", filter=Q(is_right=True)))
    newest = rows.order_by("-version__number")[:VERSIONS]
    return [_accuracy(version, number, right) for version, number, right in newest]


def _accuracy(version: int, number: int, right: int) -> LiveAccuracy:
    if not evidence.is_enough(number):
        return LiveAccuracy(version, number, right, None, None, None)
    share = right / number
    low, high = evidence.wilson(share, number)
    return LiveAccuracy(version, number, right, share, float(low), float(high))
