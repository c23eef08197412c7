from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.projects import Project


class Lane(models.TextChoices):
    POOL = "pool", _("Pool")
    HOLDOUT = "holdout", _("Holdout")


class Half(models.TextChoices):
    """What a holdout document is for: its labels tune thresholds, or they report figures; never both."""

    TUNING = "tuning", _("Tuning")
    REPORTING = "reporting", _("Reporting")


class DocumentQuerySet(models.QuerySet["Document"]):
    def pool(self) -> DocumentQuerySet:
        return self.filter(lane=Lane.POOL)

    def holdout(self) -> DocumentQuerySet:
        return self.filter(lane=Lane.HOLDOUT)

    def unassigned(self) -> DocumentQuerySet:
        """Return documents that are in nobody's queue and that nobody has decided on."""
        return self.filter(assignments=None, annotations=None)

    def at_random(self, n: int, start: str) -> list[Document]:
        """Return up to `n` documents in digest order from `start` on, going round at the end.

        The digest is a random order that an index holds, so that nothing is scanned from its beginning.
        """
        found = list(self.filter(sha256__gte=start).order_by("sha256")[:n])
        if len(found) < n:
            found += self.filter(sha256__lt=start).order_by("sha256")[: n - len(found)]
        return found


class Document(models.Model):
    """One text, byte for byte as it came.

    `sha256` is the digest of the text; it identifies a document without an external id, finds its vector,
    and serves as its place in a random order that never changes.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="documents")
    external_id = models.CharField(_("external id"), max_length=255, null=True, blank=True)  # noqa: DJ001 (unique)
    text = models.TextField(_("text"))
    sha256 = models.CharField(max_length=64)
    split_key = models.CharField(max_length=64, blank=True, help_text=_("Shared by near duplicates."))
    meta = models.JSONField(default=dict, blank=True)
    lane = models.CharField(_("lane"), max_length=10, choices=Lane)
    half = models.CharField(max_length=10, choices=Half, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "external_id"],
                condition=models.Q(external_id__isnull=False),
                name="document_external_id_once_per_project",
            ),
            models.UniqueConstraint(
                fields=["project", "sha256"],
                condition=models.Q(external_id__isnull=True),
                name="document_text_once_per_project",
            ),
            models.CheckConstraint(
                condition=models.Q(lane=Lane.POOL, half="")
                | models.Q(lane=Lane.HOLDOUT, half__in=Half.values),
                name="document_half_belongs_to_the_holdout_lane",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "lane", "sha256"], name="document_random_order"),
            models.Index(fields=["project", "split_key"], name="document_near_duplicates"),
            models.Index(fields=["project", "sha256"], name="document_text"),
        ]

    def __str__(self) -> str:
        return self.external_id or self.sha256[:12]
