from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.projects import Project


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

    `variant` names what `config` changes about the family's usual run (see `versions.variants`); a slow one
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
