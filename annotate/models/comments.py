from __future__ import annotations

from django.conf import settings
from django.db import models

from annotate.models.documents import Document


class Comment(models.Model):
    """What a lead writes about a document. A form that is sent twice carries one `key`."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="comments")
    key = models.UUIDField(unique=True)
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.author_id} on {self.document_id}"
