from __future__ import annotations

from django.db import models

from annotate.models.documents import Document


class Embedding(models.Model):
    """The vector of one text under one encoder, shared by all projects; float32, little-endian."""

    encoder = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)
    vector = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["encoder", "sha256"], name="embedding_once_per_text")]

    def __str__(self) -> str:
        return f"{self.encoder[:8]}:{self.sha256[:12]}"


class Neighbourhood(models.Model):
    """The nearest pool documents of one document: their keys as int64, cosine similarities as float32."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="neighbourhoods")
    encoder = models.CharField(max_length=64)
    neighbours = models.BinaryField()
    similarities = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["document", "encoder"], name="neighbourhood_once_per_document")
        ]

    def __str__(self) -> str:
        return f"{self.document_id} under {self.encoder[:8]}"
