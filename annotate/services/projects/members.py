"""Who may enter a project, and as what."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate import security_log
from annotate.models import Annotation, Assignment, Membership, Project, RemovedMember, User
from annotate.models.events import EventKind
from annotate.models.members import Role
from annotate.services import events
from annotate.services.labeling import places
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
def remove_member(*, membership: Membership, by: User | None = None) -> RemovedMember | None:
    """End a membership. The person's annotations stay; documents reserved for them go back to the queue.

    None where somebody else has ended it meanwhile.
    """
    _refuse_without_lead(membership)
    standing = Membership.objects.select_for_update().filter(pk=membership.pk).first()
    if standing is None:
        return None
    places.give_back(annotator=standing.user, project=standing.project)
    _log(EventKind.MEMBER_REMOVED, standing, by, role=standing.role)
    standing.delete()
    return RemovedMember.objects.create(
        project=standing.project, user=standing.user, role=standing.role, removed_by=by
    )


@transaction.atomic
def restore_member(*, removed: RemovedMember, by: User | None = None) -> Membership:
    """Undo a removal within a day: the person has the role that they had. Raises `Refused`."""
    mine = RemovedMember.objects.restorable().filter(pk=removed.pk)
    if not mine.update(restored_at=timezone.now()):
        raise Refused(_("This removal was undone already, or is more than a day old. Add the person anew."))
    if not removed.user.is_active:
        raise Refused(
            _("The account of “%(name)s” is disabled; an administrator can enable it.")
            % {"name": removed.user}
        )
    membership, is_new = Membership.objects.get_or_create(
        project=removed.project, user=removed.user, defaults={"role": removed.role}
    )
    if not is_new:
        raise Refused(_("“%(name)s” is a member of this project already.") % {"name": removed.user})
    _log(EventKind.MEMBER_RESTORED, membership, by, role=membership.role)
    return membership


@dataclass(frozen=True, slots=True)
class Holdings:
    """What somebody has in a project: what they decided, and the documents that are with them now."""

    decided: int
    held: int


def holdings(membership: Membership) -> Holdings:
    of_theirs = {"project": membership.project_id, "annotator": membership.user_id}
    return Holdings(
        decided=Annotation.objects.filter(**of_theirs).count(),
        held=Assignment.objects.leased().filter(**of_theirs).count(),
    )


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
