from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.annotations import Annotation, AnswerField
from annotate.models.documents import Document
from annotate.models.projects import Project
from annotate.models.queue import Batch
from annotate.models.runs import TrainingRun
from annotate.models.versions import ModelVersion
from annotate.task_types.answers import labels_of
from training.llm.parse import LlmOutcome
from training.types import Answer


class Prediction(models.Model):
    """What the latest published version says of one document: one live row, not one per label or round.

    The answer's labels are what was decided; its scores are calibrated, and cut to the best few and to those
    of the labels. `confidence` and `margin` are those of the whole answer, by all scores; None where the
    version is not calibrated. The document's project stands here as well, so that one index holds the
    predictions of a project in their order.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="predictions", db_index=False)
    document = models.OneToOneField(Document, models.CASCADE, related_name="prediction")
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="predictions")
    answer = AnswerField()
    confidence = models.FloatField(null=True)
    margin = models.FloatField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "confidence", "document"], name="prediction_confidence"),
            models.Index(fields=["project", "margin", "document"], name="prediction_margin"),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} by {self.version_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.project_id = self.document.project_id
        super().save(*args, **kwargs)
        PredictedLabel.keep([self])


class PredictedLabel(models.Model):
    """A label of a prediction's answer, of the whole text or of a span, in a column that an index holds.

    It goes with the prediction. What writes predictions calls `keep` in the same transaction.
    """

    prediction = models.ForeignKey(
        Prediction,
        models.CASCADE,
        to_field="document",
        db_column="document_id",
        db_index=False,
        related_name="said",
    )
    # NB: not a foreign key. A label may be gone while the answer of an older model still has it.
    label = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["prediction", "label"], name="predicted_label_once"),
        ]
        indexes = [models.Index(fields=["label", "prediction"], name="predicted_label_documents")]

    def __str__(self) -> str:
        return f"{self.label} of {self.prediction_id}"

    @staticmethod
    def keep(predictions: Collection[Prediction]) -> None:
        """Let the rows be what the answers say; most of them are the same after a retraining."""
        wanted = {(row.document_id, int(label)) for row in predictions for label in labels_of(row.answer)}
        documents = sorted({row.document_id for row in predictions})
        there = {
            (document, label): pk
            for pk, document, label in PredictedLabel.objects.filter(prediction__in=documents).values_list(
                "pk", "prediction_id", "label"
            )
        }
        gone = [pk for key, pk in there.items() if key not in wanted]
        if gone:
            PredictedLabel.objects.filter(pk__in=gone).delete()
        PredictedLabel.objects.bulk_create(
            PredictedLabel(prediction_id=document, label=label)
            for document, label in sorted(wanted - there.keys())
        )


class OutOfFoldScore(models.Model):
    """What a model that had not learned this labelled pool document says of it, as a `Prediction` does.

    It comes from the folds of the published version's run: one row a document, of the latest version that had
    folds. `learned_at` is when the run read the answers; `disagrees` says that the decision was not the
    answer of then, and `is_suspect` that this answer is probably wrong (`training.figures.label_errors`).
    What people have decided since is not known to either.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="out_of_fold_scores", db_index=False)
    document = models.OneToOneField(Document, models.CASCADE, related_name="out_of_fold")
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="out_of_fold_scores")
    answer = AnswerField()
    disagrees = models.BooleanField()
    is_suspect = models.BooleanField()
    learned_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(
                fields=["project", "document"],
                condition=models.Q(disagrees=True),
                name="out_of_fold_disagrees",
            ),
            models.Index(
                fields=["project", "document"],
                condition=models.Q(is_suspect=True),
                name="out_of_fold_suspect",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} out of fold by {self.version_id}"


class LlmAnswerQuerySet(models.QuerySet["LlmAnswer"]):
    def answered(self) -> LlmAnswerQuerySet:
        return self.filter(outcome=LlmOutcome.ANSWERED)

    def current(self) -> LlmAnswerQuerySet:
        """Leave out answers about a text that an import has changed since."""
        return self.filter(sha256=models.F("document__sha256"))


class LlmAnswer(models.Model):
    """What an LLM said of one document. Failures are kept as well, because they were paid for.

    `sha256` is the digest of the text that was asked about; answers about an earlier text stay, so that the
    tokens they took are still counted. `key` is equal for equal questions, those of other projects included:
    it is made of the model, the prompt with its examples, and the text. `reply` is the answer in the prompt's
    own words, the names of labels, and `answer` the same in this project's label ids. `seconds` and `cost`
    sum up the calls that the answer took; an answer that `is_reused` took none.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="llm_answers")
    document = models.ForeignKey(Document, models.CASCADE, related_name="llm_answers")
    sha256 = models.CharField(max_length=64)
    key = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    outcome = models.CharField(max_length=40)
    reply = AnswerField(default=Answer)
    answer = AnswerField(default=Answer)
    note = models.TextField(blank=True)
    is_reused = models.BooleanField(default=False)
    calls = models.PositiveSmallIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    cost = models.FloatField(default=0.0)
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = LlmAnswerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "sha256"], name="llm_answer_once_per_text")
        ]
        indexes = [models.Index(fields=["key"], name="llm_answer_of_question")]

    def __str__(self) -> str:
        return f"{self.document_id} by {self.model}"


class Corridor(models.Model):
    """How a project watches what its model says of new texts; a project without a row watches as usual.

    A window is closed after `window` texts. An alarm is raised once so many of them in a row lie `outside`.
    What is usual begins at `began_at`; without that date the project's own documents are what is usual.
    Texts are kept up to and with `texts_kept_until`, and not at all without a date.
    """

    project = models.OneToOneField(Project, models.CASCADE, related_name="corridor")
    window = models.PositiveIntegerField(
        _("texts of a window"), default=500, validators=[MinValueValidator(50), MaxValueValidator(100_000)]
    )
    outside = models.PositiveSmallIntegerField(
        _("windows outside in a row until an alarm"),
        default=2,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
    )
    rest_hours = models.PositiveIntegerField(
        _("hours between two alarms"), default=24, validators=[MaxValueValidator(24 * 365)]
    )
    texts_kept_until = models.DateField(_("keep texts until"), null=True, blank=True)
    retrains = models.BooleanField(_("train a model when an alarm is raised"), default=False)
    began_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"corridor of {self.project_id}"

    @classmethod
    def of(cls, project: Project) -> Corridor:
        """Return the project's own, or one that is not stored yet."""
        return cls.objects.filter(project=project).first() or cls(project=project)

    def keeps_texts(self, today: date) -> bool:
        return self.texts_kept_until is not None and today <= self.texts_kept_until


class CountedTexts(models.Model):
    """Texts that the model answered for programs, and imported ones that it predicted first, counted.

    `classes` counts the labels by their keys, and texts without any as "". `moments` has the number, the sum
    and the sum of squares of what a text has as a number: `confidence`, `characters`, `similarity`,
    `unknown_words`. `imported` are those of the texts that came by an import.
    """

    texts = models.PositiveIntegerField()
    imported = models.PositiveIntegerField(default=0)
    classes = models.JSONField(default=dict)
    moments = models.JSONField(default=dict)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        abstract = True


class PredictionTally(CountedTexts):
    """What one process of the site predicted within seconds, until a window takes it up."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="prediction_tallies", db_index=False)
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["project", "id"], name="tally_of_project")]

    def __str__(self) -> str:
        return f"{self.texts} texts of {self.project_id}"


class PredictionWindow(CountedTexts):
    """So many texts in a row, and how unusual they are.

    `distance` is the G statistic of the classes against what was usual, `limit` what one usual window in 200
    goes beyond; both are None while too little is known of what is usual. `kl`, `js` (nats) and `psi` tell
    the same difference in other units. `readings` are those of the moments by name, `moved` the classes that
    speak most for a change: label, share before, share now. A window that `is_usual` is one that later ones
    are compared with.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="prediction_windows", db_index=False)
    version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    distance = models.FloatField(null=True)
    limit = models.FloatField(null=True)
    kl = models.FloatField(null=True)
    js = models.FloatField(null=True)
    psi = models.FloatField(null=True)
    moved = models.JSONField(default=list)
    readings = models.JSONField(default=dict)
    is_outside = models.BooleanField(default=False)
    is_usual = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "-id"], name="window_of_project")]

    def __str__(self) -> str:
        return f"window {self.pk} of {self.project_id}"


class AskedText(models.Model):
    """A text that a program asked about, where its project keeps them: of a tally, later of its window.

    `sha256` is the digest of the text, and empty where only the beginning of a long one is kept.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="asked_texts")
    tally = models.ForeignKey(PredictionTally, models.CASCADE, null=True, related_name="asked")
    window = models.ForeignKey(PredictionWindow, models.CASCADE, null=True, related_name="asked")
    text = models.TextField()
    sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["project", "sha256"], name="asked_text_digest")]

    def __str__(self) -> str:
        return f"text {self.pk}"


class Feedback(models.Model):
    """What is right of a text that the model answered about, as a program has said afterwards.

    `prediction` is the digest of the prediction's id, `said` what the model answered at `predicted_at`. It
    has an `annotation` where the text is known; else it only counts for how often the model is right.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="feedback", db_index=False)
    version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    prediction = models.CharField(max_length=64, unique=True)
    predicted_at = models.DateTimeField()
    said = AnswerField()
    right = AnswerField()
    is_right = models.BooleanField()
    annotation = models.ForeignKey(Annotation, models.SET_NULL, null=True, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "version"], name="feedback_of_version")]

    def __str__(self) -> str:
        return f"feedback {self.pk} of {self.project_id}"


class DriftAlarmQuerySet(models.QuerySet["DriftAlarm"]):
    def open(self) -> DriftAlarm | None:
        return self.filter(ended_at=None).first()


class DriftAlarm(models.Model):
    """What the model says of new texts has left its corridor.

    `window` is the one that raised it. `batch` holds the texts that were put in front of the queue, of which
    there are none where the project keeps no texts. It is over (`ended_at`) when a version was published
    after these were answered, or when a lead has said that this is usual from now on.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="drift_alarms")
    window = models.ForeignKey(PredictionWindow, models.CASCADE, related_name="alarms")
    version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    batch = models.ForeignKey(Batch, models.SET_NULL, null=True, related_name="+")
    run = models.ForeignKey(TrainingRun, models.SET_NULL, null=True, related_name="+")
    queued = models.PositiveIntegerField(default=0)
    raised_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    ended_at = models.DateTimeField(null=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects = DriftAlarmQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(ended_at=None), name="drift_alarm_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"alarm {self.pk} of {self.project_id}"
