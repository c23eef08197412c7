from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.documents import Document
from annotate.models.projects import Label, Project
from annotate.models.versions import ModelVersion


class Outcome(models.TextChoices):
    ANSWERED = "answered", _("Answered")
    SKIPPED = "skipped", _("Skipped")
    FLAGGED = "flagged", _("Flagged")


class Source(models.TextChoices):
    WEB = "web", _("Labelling page")
    IMPORT = "import", _("Import")
    API = "api", _("API")


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def answered(self) -> AnnotationQuerySet:
        return self.filter(outcome=Outcome.ANSWERED)


class Annotation(models.Model):
    """One person's decision on one document, as it stands now; `decisions` holds every one before it.

    An answered annotation without labels is a real answer of a multi-label project: none of them applies.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotations")
    document = models.ForeignKey(Document, models.PROTECT, related_name="annotations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="annotations")
    outcome = models.CharField(max_length=10, choices=Outcome)
    labels: models.ManyToManyField[Label, AnnotationLabel] = models.ManyToManyField(
        Label, through="AnnotationLabel", related_name="annotations"
    )
    reason = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    source = models.CharField(max_length=10, choices=Source, default=Source.WEB)
    is_gold = models.BooleanField(default=False)
    guidelines_version = models.PositiveIntegerField(default=1)
    shown_version = models.ForeignKey(ModelVersion, models.SET_NULL, null=True, related_name="+")
    shown = models.JSONField(
        null=True, help_text=_("The suggestion as it was shown: [label id, score] pairs.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "annotator"], name="annotation_once_per_annotator"),
            models.UniqueConstraint(
                fields=["document"], condition=models.Q(is_gold=True), name="annotation_one_gold_per_document"
            ),
        ]
        indexes = [models.Index(fields=["project", "annotator", "-updated_at"], name="annotation_history")]

    def __str__(self) -> str:
        return f"{self.document_id} by {self.annotator_id}"


class AnnotationLabel(models.Model):
    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="choices")
    label = models.ForeignKey(Label, models.PROTECT, related_name="choices")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["annotation", "label"], name="choice_once_per_label")]

    def __str__(self) -> str:
        return f"{self.label_id} on {self.annotation_id}"


class Decision(models.Model):
    """One sent decision, never changed or deleted; `card` makes sending it again change nothing."""

    annotation = models.ForeignKey(Annotation, models.CASCADE, related_name="decisions")
    card = models.UUIDField(unique=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    label_ids = models.JSONField(default=list)
    reason = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.outcome} {self.card}"
