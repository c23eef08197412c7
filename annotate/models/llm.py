from __future__ import annotations

from django.db import models

from annotate.models.documents import Document
from annotate.models.projects import Project


class LlmAnswer(models.Model):
    """What an LLM said of one document. An outcome other than "answered" is kept too: it was paid for.

    `labels` lists the chosen label ids; `seconds` and `cost` are of all calls that the answer took.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="llm_answers")
    document = models.OneToOneField(Document, models.CASCADE, related_name="llm_answer")
    model = models.CharField(max_length=200)
    outcome = models.CharField(max_length=40)
    labels = models.JSONField(default=list)
    note = models.TextField(blank=True)
    calls = models.PositiveSmallIntegerField(default=0)
    tokens = models.PositiveIntegerField(default=0)
    cost = models.FloatField(default=0.0)
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.document_id} by {self.model}"
