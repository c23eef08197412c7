from __future__ import annotations

from django.db import models

from annotate.models.annotations import AnswerField
from annotate.models.documents import Document
from annotate.models.versions import ModelVersion


class Prediction(models.Model):
    """What the latest published version says of one document: one live row, not one per label or round.

    The answer's labels are what was decided; its scores are calibrated, and cut to the best few and to those
    of the labels.
    """

    document = models.OneToOneField(Document, models.CASCADE, related_name="prediction")
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="predictions")
    answer = AnswerField()

    def __str__(self) -> str:
        return f"{self.document_id} by {self.version_id}"
