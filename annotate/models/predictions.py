from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import models

from annotate.models.annotations import AnswerField
from annotate.models.documents import Document
from annotate.models.projects import Project
from annotate.models.versions import ModelVersion
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
    """A label of a prediction's answer, once more in a column that an index holds.

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
        wanted = {(row.document_id, int(label)) for row in predictions for label in row.answer.labels}
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
