from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from annotate.models.projects import Project
from annotate.models.work import LIVE_STATES, Work, WorkQuerySet
from training.registry import FAMILIES


class TrainingRunQuerySet(WorkQuerySet["TrainingRun"]):
    def quick(self) -> Self:
        return self.filter(is_slow=False)


class RunKind(models.TextChoices):
    """What a run does; the `family` of a run or a version tells it, as no family is named like a kind."""

    FIT = "fit", _("One family")
    CASCADE = "cascade", _("Cascade of two models")

    @classmethod
    def of(cls, family: str) -> RunKind:
        """Return the kind that a `family` stands for; what is no name of a kind is a family to be fitted."""
        return cls(family) if family in cls.values else cls.FIT


def family_title(family: str) -> str:
    """Return the name that people see of a `family`; one that the registry no longer has keeps its key."""
    if family in FAMILIES:
        return gettext(FAMILIES[family].title)
    kind = RunKind.of(family)
    return family if kind == RunKind.FIT else str(kind.label)


class TrainingRun(Work):
    """One training of one family, or another kind of run that leaves a version.

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

    @property
    def kind(self) -> RunKind:
        return RunKind.of(self.family)
