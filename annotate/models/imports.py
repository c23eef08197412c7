from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from annotate.models.projects import Project
from annotate.models.work import Work, WorkQuerySet, WorkState

UPLOADED = "uploaded"  # a lead has yet to say which column is what, so no worker is wanted


class ImportRemoval(models.TextChoices):
    """What a worker takes back of an import that is over."""

    UNDO = "undo", _("Undo")
    DOCUMENTS = "documents", _("Deletion of its documents")


class Import(Work):
    """One file on its way in; `mapping` says which column is what, `lanes` where its documents went.

    `missing` has the labels that the project does not offer, each with its number of rows; `unfit` has the
    reasons why a document cannot have its answer, and `spellings` what was made of labels that look alike.
    `made_labels` are the keys of those that it made. One that is taken back has a `removal` from then on:
    `removed` counts the documents that are gone, `restored` those that are again what they were before it.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="imports")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    file = models.FileField(upload_to="imports/%Y/%m/")
    name = models.CharField(max_length=255)
    mapping = models.JSONField(default=dict)
    dry_run = models.BooleanField(default=False)
    state = models.CharField(
        max_length=10,
        choices=[(UPLOADED, _("Waiting for its columns")), *WorkState.choices],
        default=UPLOADED,
    )
    bytes_read = models.BigIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    broken = models.PositiveIntegerField(default=0)
    lanes = models.JSONField(default=dict)
    missing = models.JSONField(default=dict)
    unfit = models.JSONField(default=dict)
    spellings = models.JSONField(default=dict)
    made_labels = models.JSONField(default=list)
    removal = models.CharField(max_length=10, choices=ImportRemoval, blank=True)
    removed = models.PositiveIntegerField(default=0)
    restored = models.PositiveIntegerField(default=0)

    objects: WorkQuerySet[Import] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name


class ImportProblem(models.Model):
    """A row that did not go in, and why."""

    source = models.ForeignKey(Import, models.CASCADE, related_name="problems")
    row = models.PositiveIntegerField()
    reason = models.TextField()

    class Meta:
        ordering = ["row"]

    def __str__(self) -> str:
        return f"{self.row}: {self.reason}"


class Export(Work):
    """A file of what a project holds, asked for and written by a worker; it is kept until `expires_at`.

    `format` and `contents` say what is in it, as `services.exports` stores them; `size` is in bytes.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="exports")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    format = models.CharField(max_length=20)
    contents = models.JSONField(default=dict)
    file = models.FileField(upload_to="exports/%Y/%m/", blank=True)
    rows = models.PositiveIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    objects: WorkQuerySet[Export] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.format} of {self.project_id}"


class Restoration(Work):
    """A project that a worker fills: from an archive in `file`, or with the documents of `source`.

    `project` is hidden until it is whole. `reached` is the last document of `source` that was copied.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    project = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="restorations")
    source = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="+")
    file = models.FileField(upload_to="archives/%Y/%m/", blank=True)
    name = models.CharField(max_length=255)
    reached = models.BigIntegerField(default=0)
    found = models.JSONField(default=dict)

    objects: WorkQuerySet[Restoration] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.name
