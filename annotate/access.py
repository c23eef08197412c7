"""The only code that decides who may do what; each helper returns the object or raises 404.

A stranger learns nothing, not even that a project exists, hence never 403.
"""

from __future__ import annotations

import uuid

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404

from annotate.models import (
    AddressLink,
    Annotation,
    Card,
    Invitation,
    Label,
    OpenSession,
    Passkey,
    PasswordLink,
    Project,
    User,
    WorkList,
)
from annotate.models.members import SEE_ANSWERS, Role
from annotate.services.people import accounts, email_addresses, invitations, password_links, sessions


def signed_in(user: User | AnonymousUser) -> User:
    if not isinstance(user, User) or not user.is_active:
        raise Http404
    return user


def site_administrator(user: User | AnonymousUser) -> User:
    """Return `user` where they may see the whole site."""
    administrator = signed_in(user)
    if not administrator.is_superuser:
        raise Http404
    return administrator


def project_for(user: User | AnonymousUser, slug: str) -> Project:
    """Return a project that `user` is a member of."""
    return get_object_or_404(Project.objects.of(signed_in(user)), slug=slug)


def card_given_to(user: User | AnonymousUser, slug: str, key: str) -> Card:
    """Return a card that `user` was given in a project, also where they are no member of it any more.

    It shows nothing that they have not seen, and opens nothing else of the project.
    """
    cards = Card.objects.select_related("document__project")
    own = cards.filter(
        annotator=signed_in(user), document__project__slug=slug, document__project__deleted_at=None
    )
    try:
        return get_object_or_404(own, key=uuid.UUID(key))
    except ValueError as error:
        raise Http404 from error


def label_for(user: User | AnonymousUser, slug: str, pk: int) -> Label:
    """Return a label that is offered in a project of `user`."""
    return get_object_or_404(project_for(user, slug).labels.live().select_related("project"), pk=pk)


def work_list_of(user: User | AnonymousUser, project: Project, key: int | None) -> WorkList:
    """Return a list of a project of `user` that they are to label, also where it is closed."""
    return get_object_or_404(project.work_lists.filter(people=signed_in(user)), pk=key)


def work_list_shown_to(user: User | AnonymousUser, slug: str, pk: int) -> WorkList:
    """Return a list of a project, to whoever is to label it or sees what others answered."""
    project, member = project_for(user, slug), signed_in(user)
    rows = project.work_lists.select_related("project")
    return get_object_or_404(rows if reviews(member, project) else rows.filter(people=member), pk=pk)


def decision_of(user: User | AnonymousUser, slug: str, key: int | None) -> Annotation:
    """Return a decision that `user` made in a project of theirs; nobody opens another person's."""
    project = project_for(user, slug)
    own = Annotation.objects.select_related("document").filter(project=project, annotator=signed_in(user))
    return get_object_or_404(own, pk=key)


def open_invitation(token: str) -> Invitation | None:
    """Return the invitation that a link opens: whoever holds the link may see it, logged in or not."""
    return invitations.find(token)


def open_password_link(token: str) -> PasswordLink | None:
    """Return what a link for a new password opens: whoever holds the link may use it."""
    return password_links.find(token)


def open_address_link(token: str) -> AddressLink | None:
    """Return the change of address that a link confirms: whoever holds the link may do so."""
    return email_addresses.find(token)


def person_for(user: User | AnonymousUser, pk: int) -> User:
    """Return a person of the site, with memberships in `roles` and when they were `seen`."""
    site_administrator(user)
    return get_object_or_404(accounts.shown(User.objects.filter(is_machine=False)), pk=pk)


def session_of(user: User | AnonymousUser, pk: int) -> QuerySet[OpenSession]:
    """Return a session of `user`, as rows of which there is one; nobody ends another person's."""
    found = sessions.open_of(signed_in(user)).filter(pk=pk)
    if not found.exists():
        raise Http404
    return found


def passkey_of(user: User | AnonymousUser, pk: int) -> Passkey:
    """Return a passkey of `user`; nobody sees another person's."""
    return get_object_or_404(signed_in(user).passkeys.select_related("user"), pk=pk)


def is_member(user: User, project: Project) -> bool:
    return Project.objects.of(user).filter(pk=project.pk).exists()


def reviewed_project_for(user: User | AnonymousUser, slug: str) -> Project:
    """Return a project whose answers and figures `user` sees, and whose answers they correct."""
    return get_object_or_404(Project.objects.of(signed_in(user), *SEE_ANSWERS), slug=slug)


def led_project_for(user: User | AnonymousUser, slug: str) -> Project:
    """Return a project that `user` leads."""
    return get_object_or_404(Project.objects.of(signed_in(user), Role.LEAD), slug=slug)


def leads(user: User | AnonymousUser, slug: str) -> bool:
    """Tell whether `user` leads the project, where one of that name exists."""
    project = Project.objects.standing().filter(slug=slug).first()
    return isinstance(user, User) and project is not None and is_lead(user, project)


def reviews(user: User, project: Project) -> bool:
    """Tell whether `user` sees what others answered: a reviewer and a lead do."""
    return user.is_superuser or project.memberships.filter(user=user, role__in=SEE_ANSWERS).exists()


def is_lead(user: User, project: Project) -> bool:
    return user.is_superuser or project.memberships.filter(user=user, role=Role.LEAD).exists()
