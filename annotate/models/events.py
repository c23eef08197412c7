from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class EventKind(models.TextChoices):
    """What somebody did. Labelling itself is not here: each `Decision` is kept as a row of its own."""

    PROJECT_CREATED = "project-created", _("Project created")
    PROJECT_DELETED = "project-deleted", _("Project deleted")
    DOCUMENT_CHANGED = "document-changed", _("Metadata changed")
    DOCUMENT_DELETED = "document-deleted", _("Document deleted")
    SETTINGS_CHANGED = "settings-changed", _("Settings changed")
    LABELS_ADDED = "labels-added", _("Labels added")
    LABEL_CHANGED = "label-changed", _("Label changed")
    LABEL_ARCHIVED = "label-archived", _("Label archived")
    LABEL_RESTORED = "label-restored", _("Label restored")
    DICTIONARY_CHANGED = "dictionary-changed", _("Dictionary changed")
    LABEL_MERGED = "label-merged", _("Label merged")
    LABEL_SPLIT = "label-split", _("Label split")
    LABELS_REORDERED = "labels-reordered", _("Labels reordered")
    MEMBER_ADDED = "member-added", _("Member added")
    ROLE_CHANGED = "role-changed", _("Role changed")
    INVITED = "invited", _("Invited")
    INVITATION_ACCEPTED = "invitation-accepted", _("Invitation accepted")
    INVITATION_REVOKED = "invitation-revoked", _("Invitation taken back")
    MEMBER_REMOVED = "member-removed", _("Member removed")
    MEMBER_RESTORED = "member-restored", _("Removal undone")
    KEY_MADE = "key-made", _("API key made")
    KEY_REVOKED = "key-revoked", _("API key revoked")
    KEY_ENDED = "key-ended", _("API key ended with a password")
    ACCOUNT_MADE = "account-made", _("Account made")
    ACCOUNT_CHANGED = "account-changed", _("Account changed")
    ACCOUNT_DISABLED = "account-disabled", _("Account disabled")
    ACCOUNT_ENABLED = "account-enabled", _("Account enabled")
    PASSWORD_LINK_MADE = "password-link-made", _("Password link made")
    PASSWORD_SET = "password-set", _("Password set by a link")
    SECOND_FACTOR_ADDED = "second-factor-added", _("Second factor added")
    SECOND_FACTOR_REMOVED = "second-factor-removed", _("Second factor removed")
    RECOVERY_CODES_MADE = "recovery-codes-made", _("Recovery codes made")
    OUTSIDE_LOGIN_ADDED = "outside-login-added", _("Login of another site connected")
    OUTSIDE_LOGIN_REMOVED = "outside-login-removed", _("Login of another site parted")
    ACCOUNT_DELETED = "account-deleted", _("Account deleted")
    UPLOADED = "uploaded", _("File uploaded")
    IMPORTED = "imported", _("Import started")
    IMPORT_UNDONE = "import-undone", _("Import undone")
    IMPORT_DELETED = "import-deleted", _("Documents of an import deleted")
    LANES_EVENED = "lanes-evened", _("Documents moved to the other lane")
    STORED = "stored", _("Documents stored")
    EXPORT_ASKED = "export-asked", _("Export asked for")
    ARCHIVE_UPLOADED = "archive-uploaded", _("Archive of a project uploaded")
    PROJECT_DUPLICATED = "project-duplicated", _("Project duplicated")
    PROJECT_RESTORED = "project-restored", _("Project restored from an archive")
    EXPORTED = "exported", _("Exported")
    RETURNED = "returned", _("Returned to the queue")
    HANDED_TO = "handed-to", _("Handed to a person")
    HANDED_ON_ACCEPTED = "handed-on-accepted", _("Handed-on answer kept")
    HANDED_ON_DISCARDED = "handed-on-discarded", _("Handed-on answer discarded")
    HANDED_ON_REOPENED = "handed-on-reopened", _("Handed-on answer waits again")
    LIST_CHANGED = "list-changed", _("People of a list changed")
    GOLD_GIVEN = "gold-given", _("Gold answer given")
    GOLD_REMOVED = "gold-removed", _("Answer no longer gold")
    ANSWER_WITHDRAWN = "answer-withdrawn", _("Answer withdrawn")
    BULK_CHANGED = "bulk-changed", _("Changed in bulk")
    BULK_UNDONE = "bulk-undone", _("Bulk change undone")
    VIEW_SAVED = "view-saved", _("View saved for the project")
    VIEW_RENAMED = "view-renamed", _("View of the project renamed")
    VIEW_DELETED = "view-deleted", _("View of the project deleted")
    COMMENTED = "commented", _("Commented on")
    PUBLISHED = "published", _("Version published")
    ROLLED_BACK = "rolled-back", _("Rolled back to a version")
    RUN_STARTED = "run-started", _("Training started")
    MEASURED = "measured", _("Report card measured anew")
    THRESHOLDS_CHANGED = "thresholds-changed", _("Thresholds of a version changed")
    HOLDOUT_SCORED = "holdout-scored", _("Holdout scored by a version")
    CANCELLED = "cancelled", _("Work cancelled")
    WATCH_CHANGED = "watch-changed", _("Monitoring settings changed")
    ALARM_SEEN = "alarm-seen", _("Alarm seen")
    ALARM_USUAL = "alarm-usual", _("What raised an alarm is usual from now on")
    WEBHOOK_ADDED = "webhook-added", _("Webhook added")
    WEBHOOK_REMOVED = "webhook-removed", _("Webhook removed")
    WEBHOOK_TESTED = "webhook-tested", _("Webhook tried out")
    WEBHOOK_ON = "webhook-on", _("Webhook switched on")
    WEBHOOK_OFF = "webhook-off", _("Webhook switched off")
    ALARMS_SNOOZED = "alarms-snoozed", _("Alarms snoozed for a week")


def kinds() -> list[tuple[str, Any]]:
    """Return the choices of the column; by name, so that a new kind needs no migration."""
    return list(EventKind.choices)


class EventQuerySet(models.QuerySet["Event"]):
    def update(self, **fields: Any) -> NoReturn:
        raise TypeError("The event log is only added to: events are never changed.")

    def delete(self) -> NoReturn:
        raise TypeError("The event log is only added to: events are never deleted.")


class Event(models.Model):
    """One thing that one person did, told so that it can be read when what it was done to is gone.

    `project_id` and `document_id` are keys of rows that may have been deleted since, hence no constraint;
    `project_name` and `subject` are what those, and the label, member or key that it was about, were called
    then. The text of a document is never part of an event, so that it is gone when the document is.
    `details` holds the old and the new value, or counts.
    """

    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=40, choices=kinds)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    by_name = models.CharField(max_length=150, blank=True)
    project_id = models.BigIntegerField(null=True)
    project_name = models.CharField(max_length=200, blank=True)
    document_id = models.BigIntegerField(null=True)
    subject = models.CharField(max_length=255, blank=True)
    details = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["project_id", "-id"], name="event_of_project"),
            models.Index(
                fields=["document_id", "-id"],
                condition=models.Q(document_id__isnull=False),
                name="event_of_document",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The event log is only added to: events are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("The event log is only added to: events are never deleted.")
