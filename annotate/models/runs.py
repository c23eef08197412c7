from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.projects import Project
from annotate.models.work import LIVE_STATES, Work, WorkQuerySet


class TrainingRunQuerySet(WorkQuerySet["TrainingRun"]):
    def quick(self) -> Self:
        return self.filter(is_slow=False)


class TrainingRun(Work):
    """One training of one family.

    `variant` names what `config` changes about the family's usual run (see `versions.variants`); a slow one
    takes minutes and has a queue of its own. Only the holder of the current `token` can publish.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="runs")
    family = models.CharField(_("family"), max_length=40)
    variant = models.CharField(_("variant"), max_length=120, blank=True)
    is_slow = models.BooleanField(default=False)
    reason = models.CharField(max_length=20)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    config = models.JSONField(default=dict)
    snapshot = models.JSONField(default=dict)
    log = models.TextField(blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "family", "variant", "-id"], name="run_latest_of_variant")]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "family", "variant", "is_slow"],
                condition=models.Q(state__in=LIVE_STATES),
                name="run_one_live_per_variant",
            )
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.pk}"
