from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from annotate.models.accounts import User
from annotate.models.projects import Project


class Role(models.TextChoices):
    ANNOTATOR = "annotator", _("Annotator")
    REVIEWER = "reviewer", _("Reviewer")
    LEAD = "lead", _("Lead")


# What each role is for, where somebody chooses one.
ROLE_HELP = {
    Role.ANNOTATOR: _("labels, and sees their own answers alone"),
    Role.REVIEWER: _(
        "sees everything in the project, corrects and settles answers; changes no settings and no members, "
        "publishes and deletes nothing"
    ),
    Role.LEAD: _("does everything in the project"),
}
RESTORABLE_FOR = timedelta(days=1)
# Who sees what others answered, and what models are worth.
SEE_ANSWERS = (Role.REVIEWER, Role.LEAD)


class Membership(models.Model):
    project = models.ForeignKey(Project, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.ANNOTATOR)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once_per_project")
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


class RemovedMemberQuerySet(models.QuerySet["RemovedMember"]):
    def restorable(self) -> RemovedMemberQuerySet:
        return self.filter(restored_at=None, removed_at__gt=timezone.now() - RESTORABLE_FOR)


class RemovedMember(models.Model):
    """A membership that a lead has ended, kept with its role so that it can be restored for a while."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="removed_members")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    role = models.CharField(_("role"), max_length=10, choices=Role)
    removed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    removed_at = models.DateTimeField(auto_now_add=True)
    restored_at = models.DateTimeField(null=True)

    objects = RemovedMemberQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        """Return those that still let somebody in: whoever gave them may still do so, too."""
        leads = Membership.objects.filter(
            project=models.OuterRef("project"), user=models.OuterRef("invited_by"), role=Role.LEAD
        )
        return self.filter(
            models.Q(invited_by__is_superuser=True) | models.Exists(leads),
            invited_by__is_active=True,
            used_at=None,
            revoked_at=None,
            expires_at__gt=timezone.now(),
        )


class Invitation(models.Model):
    """A link that lets one person into a project, once. Only the digest of its token is stored."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="invitations")
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.ANNOTATOR)
    guest = models.CharField(
        _("whom it is for"), max_length=200, help_text=_("As the lead wrote it: a name or an address.")
    )
    address = models.EmailField(
        blank=True, help_text=_("Where the link is sent, so that nobody else has it; empty: it was shown.")
    )
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(User, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.guest} · {self.role}"
