from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.projects import Label, Project


class RunState(models.TextChoices):
    QUEUED = "queued", _("Waiting for a worker")
    RUNNING = "running", _("Training")
    SUCCEEDED = "succeeded", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


LIVE_STATES = [RunState.QUEUED, RunState.RUNNING]


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def live(self) -> TrainingRunQuerySet:
        return self.filter(state__in=LIVE_STATES)

    def quick(self) -> TrainingRunQuerySet:
        return self.filter(is_slow=False)


class TrainingRun(models.Model):
    """One run is one row; a message only wakes a worker to it.

    `variant` names what `config` changes about the family's usual run (see `services.versions.variants`); a slow one
    takes minutes and has a queue of its own.
    `token` grows with every attempt: a worker that lost its lease holds an old token and cannot publish.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="runs")
    family = models.CharField(_("family"), max_length=40)
    variant = models.CharField(_("variant"), max_length=120, blank=True)
    is_slow = models.BooleanField(default=False)
    reason = models.CharField(max_length=20)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    config = models.JSONField(default=dict)
    snapshot = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.QUEUED)
    stage = models.CharField(max_length=100, blank=True)
    progress = models.FloatField(default=0.0)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    token = models.PositiveIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "family", "variant", "-id"], name="run_latest_of_variant")]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "family", "variant", "is_slow"],
                condition=models.Q(state__in=["queued", "running"]),
                name="run_one_live_per_variant",
            )
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.pk}"


class Stage(models.TextChoices):
    CANDIDATE = "candidate", _("Candidate")
    PUBLISHED = "published", _("Published")
    RETIRED = "retired", _("Retired")


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def published(self) -> ModelVersionQuerySet:
        return self.filter(stage=Stage.PUBLISHED)


class ModelVersion(models.Model):
    """A bundle on disk and the figures it was judged by. `bundle` is relative to BUNDLE_ROOT.

    `label_ids` gives the label of each score column; `report` holds the whole evaluation as it was stored;
    `encoder` is the fingerprint of the encoder whose vectors it reads, where it does.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="versions")
    run = models.ForeignKey(TrainingRun, models.SET_NULL, null=True, related_name="versions")
    number = models.PositiveIntegerField(_("number"))
    family = models.CharField(_("family"), max_length=40)
    variant = models.CharField(_("variant"), max_length=120, blank=True)
    encoder = models.CharField(max_length=64, blank=True)
    bundle = models.CharField(max_length=255)
    stage = models.CharField(max_length=10, choices=Stage, default=Stage.CANDIDATE)
    verdict = models.TextField(_("why it was published or not"), blank=True)
    label_ids = models.JSONField(default=list)
    labelled = models.PositiveIntegerField(_("labels learned from"))
    holdout_documents = models.PositiveIntegerField(_("holdout documents reported on"))
    macro_f1 = models.FloatField(null=True)
    macro_f1_low = models.FloatField(null=True)
    macro_f1_high = models.FloatField(null=True)
    micro_f1 = models.FloatField(null=True)
    report = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="version_number_once_per_project"),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(stage="published"),
                name="version_one_published_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.number}"

    def follows(self, other: ModelVersion) -> bool:
        """Tell whether both are of one kind, so that the newer one takes the older one's place."""
        return (self.family, self.variant) == (other.family, other.variant)


class ClassMetric(models.Model):
    """One label's figures on the reporting half; null figures mean "not measurable yet"."""

    version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="class_metrics")
    label = models.ForeignKey(Label, models.CASCADE, related_name="+")
    threshold = models.FloatField()
    support = models.PositiveIntegerField()
    precision = models.FloatField(null=True)
    recall = models.FloatField(null=True)
    f1 = models.FloatField(null=True)
    f1_low = models.FloatField(null=True)
    f1_high = models.FloatField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "label"], name="metric_once_per_label")]

    def __str__(self) -> str:
        return f"{self.label} in {self.version}"


class WorkerPulse(models.Model):
    """When a worker of a queue was last seen; the pages name a queue whose pulse is old."""

    queue = models.CharField(max_length=40, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.queue
