from __future__ import annotations

from django.db import models

from annotate.models.documents import Document
from annotate.models.versions import ModelVersion


class Prediction(models.Model):
    """What the latest published version says of one document: one live row, not one per label or round.

    `scores` is a list of [label id, calibrated score], best first, cut to the top few; `decided` lists the
    label ids that pass the thresholds; `margin` is small where the model is unsure.
    """

    document = models.OneToOneField(Document, models.CASCADE, related_name="prediction")
    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="predictions")
    scores = models.JSONField()
    decided = models.JSONField()
    margin = models.FloatField()

    def __str__(self) -> str:
        return f"{self.document_id} by {self.version_id}"
