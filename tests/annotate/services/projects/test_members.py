"""A removal and its undo: what a member held, what stays, and who may come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.models import Annotation, Assignment, Document, Event, Membership, Project, RemovedMember, User
from annotate.models.members import Role
from annotate.models.queue import AssignmentState
from annotate.services.projects import members
from annotate.services.projects.refused import Refused


@pytest.fixture
def removed(project: Project, reviewer: User, lead: User) -> RemovedMember:
    found = members.remove_member(membership=project.memberships.get(user=reviewer), by=lead)
    assert found is not None
    return found


def test_a_removal_gives_back_what_is_held_here_and_keeps_what_was_decided(
    project: Project,
    make_project: Callable[..., Project],
    annotator: User,
    add_documents: Callable[..., list[Document]],
) -> None:
    other = make_project(slug="shapes")
    held, decided = add_documents(project, "a text", "another text")
    (elsewhere,) = add_documents(other, "a third text")
    leased = {"rank": 1, "state": AssignmentState.LEASED, "annotator": annotator}
    place = Assignment.objects.create(project=project, document=held, **leased)
    kept = Assignment.objects.create(project=other, document=elsewhere, **leased)
    Annotation.objects.create(project=project, document=decided, annotator=annotator, outcome="answered")
    membership = project.memberships.get(user=annotator)
    assert members.holdings(membership) == members.Holdings(decided=1, held=1)
    members.remove_member(membership=membership)
    place.refresh_from_db()
    kept.refresh_from_db()
    assert (place.state, place.annotator) == (AssignmentState.WAITING, None)
    assert (kept.state, kept.annotator) == (AssignmentState.LEASED, annotator)
    assert decided.annotations.get().annotator == annotator


def test_an_undo_brings_the_person_back_with_their_role(
    removed: RemovedMember, reviewer: User, lead: User
) -> None:
    membership = members.restore_member(removed=removed, by=lead)
    assert (membership.user, membership.role) == (reviewer, Role.REVIEWER)
    event = Event.objects.latest("pk")
    assert (event.kind, event.subject, event.by) == ("member-restored", "rita", lead)


def test_a_removal_is_undone_once(removed: RemovedMember, project: Project, reviewer: User) -> None:
    members.restore_member(removed=removed)
    members.remove_member(membership=project.memberships.get(user=reviewer))
    with pytest.raises(Refused, match="undone already"):
        members.restore_member(removed=removed)
    assert not project.memberships.filter(user=reviewer).exists()


def test_a_removal_cannot_be_undone_after_a_day(removed: RemovedMember, project: Project) -> None:
    RemovedMember.objects.update(removed_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert not project.removed_members.restorable().exists()
    with pytest.raises(Refused, match="more than a day"):
        members.restore_member(removed=removed)


def test_an_undo_leaves_who_was_added_anew_as_they_are(
    removed: RemovedMember, project: Project, reviewer: User
) -> None:
    members.add_member(project=project, username="rita", role=Role.ANNOTATOR)
    with pytest.raises(Refused, match="already"):
        members.restore_member(removed=removed)
    assert project.memberships.get(user=reviewer).role == Role.ANNOTATOR
    assert project.removed_members.restorable().exists()


def test_an_undo_lets_nobody_in_whose_account_is_disabled(removed: RemovedMember, project: Project) -> None:
    User.objects.filter(pk=removed.user_id).update(is_active=False)
    removed.refresh_from_db()
    with pytest.raises(Refused, match="disabled"):
        members.restore_member(removed=removed)
    assert not project.memberships.filter(user=removed.user).exists()


def test_a_second_removal_of_the_same_membership_changes_nothing(project: Project, reviewer: User) -> None:
    membership = project.memberships.get(user=reviewer)
    assert members.remove_member(membership=Membership.objects.get(pk=membership.pk)) is not None
    assert members.remove_member(membership=membership) is None
    assert Event.objects.filter(kind="member-removed").count() == 1
