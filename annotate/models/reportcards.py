from __future__ import annotations

from django.db import models

from annotate.models.projects import Project


class ReportCard(models.Model):
    """A project's models measured side by side: `content` is the JSON of `training.reportcard.card.Card`.

    Its `versions` give the number of the model version behind each candidate's name.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="report_cards")
    content = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.project} {self.created_at:%Y-%m-%d %H:%M}"
