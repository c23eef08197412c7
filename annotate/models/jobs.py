from __future__ import annotations

import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models.accounts import AddressLink
from annotate.models.members import Invitation
from annotate.models.projects import Project
from annotate.models.versions import ModelVersion
from annotate.models.work import LIVE_STATES, Work, WorkQuerySet


class JobKind(models.TextChoices):
    VECTORS = "vectors", _("Making vectors")
    RESCORE = "rescore", _("Predicting every document")
    PREDICT_NEW = "predict_new", _("Predicting new documents")
    ASK_LLM = "ask_llm", _("Asking the LLM")
    REPORTCARD = "reportcard", _("Measuring the report card")
    RECHOOSE = "rechoose", _("Choosing anew what comes next")
    SEARCH = "search", _("Indexing texts for search")
    MERGE = "merge", _("Merging labels")
    WATCH = "watch", _("Looking at what was predicted")
    HOLDOUT = "holdout", _("Scoring the holdout")
    SHADOW = "shadow", _("Training shadow models")


class Job(Work):
    """Work of a project that leaves no row of its own: a run and an import are rows already.

    A subject, which is a project or one of its versions, has at most one live job of a kind. Whoever asks
    for it meanwhile sets `is_asked_again`, so that it is done once more for what has come since it began.
    With `is_anew` nothing that an earlier job found out is used again.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=20, choices=JobKind)
    version = models.ForeignKey(ModelVersion, models.CASCADE, null=True, related_name="jobs")
    is_anew = models.BooleanField(default=False)
    is_asked_again = models.BooleanField(default=False)

    objects: WorkQuerySet[Job] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state__in=LIVE_STATES, version=None),
                name="job_one_live_per_project",
            ),
            models.UniqueConstraint(
                fields=["version", "kind"],
                condition=Q(state__in=LIVE_STATES, version__isnull=False),
                name="job_one_live_per_version",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Sweep(Work):
    """One time that the site looked for what nobody needs any more; `removed` counts it by sweeper."""

    removed = models.JSONField(default=dict)

    objects: WorkQuerySet[Sweep] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"sweep {self.pk}"


class Removal(Work):
    """The removal of a project that somebody has deleted: it is hidden at once, its rows go in turns.

    The row outlives its project; `removed` counts the documents that are gone.
    """

    project = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="removals")
    removed = models.PositiveIntegerField(default=0)

    objects: WorkQuerySet[Removal] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(state__in=LIVE_STATES), name="removal_one_live_per_project"
            )
        ]

    def __str__(self) -> str:
        return f"removal {self.pk}"


class MailKind(models.TextChoices):
    PASSWORD = "password", _("A link for a new password")
    INVITATION = "invitation", _("Invitation")
    ADDRESS = "address", _("A link that confirms an e-mail address")
    ADDRESS_CHANGED = "address-changed", _("E-mail address changed")
    DRIFT = "drift", _("Alarm of drift")
    WEBHOOK_OFF = "webhook-off", _("Webhook switched off")
    FACTOR_ADDED = "factor-added", _("Second factor added")
    FACTOR_REMOVED = "factor-removed", _("Second factor removed")
    CODES_MADE = "codes-made", _("New recovery codes made")
    PASSWORD_CHANGED = "password-changed", _("Password changed")


class MailQuerySet(WorkQuerySet["Mail"]):
    def due(self) -> MailQuerySet:
        """Return those that were not put off until later."""
        return self.filter(queued_at__lte=timezone.now())


class Mail(Work):
    """A mail on its way to a mail server.

    The row holds whom it goes to and what it is about, and neither its text nor the token of a link: a worker
    makes both when it hands the mail over. `to` is what somebody typed, where the mail is for whoever has
    forgotten a password: the request that asks for it does not look whether there is such an account.
    """

    kind = models.CharField(max_length=20, choices=MailKind)
    to = models.CharField(max_length=254)
    language = models.CharField(max_length=10)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="+")
    asked_from = models.GenericIPAddressField(null=True)
    invitation = models.ForeignKey(Invitation, models.CASCADE, null=True, related_name="mails")
    address_link = models.ForeignKey(AddressLink, models.CASCADE, null=True, related_name="+")
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="+")

    objects: MailQuerySet = MailQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["kind", "-created_at"], name="mail_of_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class WebhookEvent(models.TextChoices):
    """What a webhook is told."""

    ALARM_OPENED = "drift.alarm_opened", _("Alarm of drift")
    ALARM_CLOSED = "drift.alarm_closed", _("Alarm of drift over")
    VERSION_PUBLISHED = "version.published", _("Version published")
    TEST = "test", _("Test")


class Webhook(models.Model):
    """An address of another site that is told what happens in a project.

    The secret signs what is sent, and is encrypted here. One that was switched off, at `off_at`, took nothing
    for long; `off_why` says what it answered last.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    address = models.URLField(_("address"), max_length=500)
    sealed_secret = models.CharField(max_length=300)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    off_at = models.DateTimeField(null=True)
    off_why = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"webhook {self.pk} of {self.project_id}"

    @property
    def host(self) -> str:
        """Its host alone: the rest of an address may let in whoever knows it."""
        return urlsplit(self.address).hostname or ""


class WebhookDelivery(Work):
    """A message to a webhook, sent until it is taken: `status` is what the last of `tries` was answered."""

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    kind = models.CharField(max_length=30, choices=WebhookEvent)
    key = models.UUIDField(default=uuid.uuid4, unique=True)
    payload = models.JSONField()
    tries = models.PositiveIntegerField(default=0)
    status = models.PositiveIntegerField(null=True)
    tried_at = models.DateTimeField(null=True)

    objects: WorkQuerySet[WebhookDelivery] = WorkQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
