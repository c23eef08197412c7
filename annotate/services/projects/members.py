"""Who may enter a project, and as what."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import Assignment, Membership, Project, User
from annotate.models.events import EventKind
from annotate.models.members import Role
from annotate.models.queue import AssignmentState
from annotate.services import events
from annotate.services.projects.refused import Refused
from training.types import Json


@transaction.atomic
def add_member(*, project: Project, username: str, role: str, by: User | None = None) -> Membership:
    user = User.objects.filter(username=username, is_active=True, is_machine=False).first()
    if user is None:
        raise Refused(
            _("There is no account “%(name)s”; an administrator can make one.") % {"name": username}
        )
    membership, is_new = Membership.objects.get_or_create(project=project, user=user, defaults={"role": role})
    if not is_new:
        raise Refused(_("“%(name)s” is a member of this project already.") % {"name": username})
    _log(EventKind.MEMBER_ADDED, membership, by, role=role)
    return membership


@transaction.atomic
def change_role(*, membership: Membership, role: str, by: User | None = None) -> Membership:
    if role != Role.LEAD:
        _refuse_without_lead(membership)
    before = Membership.objects.select_for_update(no_key=True).get(pk=membership.pk).role
    membership.role = role
    membership.save(update_fields=["role"])
    if role != before:
        _log(EventKind.ROLE_CHANGED, membership, by, role=role, before=before)
    return membership


@transaction.atomic
def remove_member(*, membership: Membership, by: User | None = None) -> None:
    """End a membership. The person's annotations stay; documents reserved for them go back to the queue."""
    _refuse_without_lead(membership)
    Assignment.objects.filter(
        project=membership.project_id, annotator=membership.user_id, state=AssignmentState.LEASED
    ).update(state=AssignmentState.WAITING, annotator=None, card=None, expires_at=None, is_ahead=False)
    _log(EventKind.MEMBER_REMOVED, membership, by, role=membership.role)
    membership.delete()


def _log(kind: EventKind, membership: Membership, by: User | None, **details: Json) -> None:
    project, user = membership.project, membership.user.get_username()
    security_log.record(kind.value, user=user, project=project.slug, role=membership.role, by=by or "")
    events.record(kind, by=by, project=project, subject=user, **details)


def _refuse_without_lead(membership: Membership) -> None:
    # The project's row is the lock: two leads who remove each other at once must not both succeed.
    project = Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    if not project.memberships.filter(role=Role.LEAD).exclude(pk=membership.pk).exists():
        raise Refused(
            _("“%(name)s” is the only lead of this project; make somebody else a lead first.")
            % {"name": membership.user}
        )
