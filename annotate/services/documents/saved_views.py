"""Lists of documents that somebody has named, for themselves or for the project."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from annotate.models import Project, SavedView, User
from annotate.models.events import EventKind
from annotate.services import events

LONGEST_QUERY = 4000  # characters
MOST = 100  # views of one person in a project


class NotSaved(Exception):
    """A view that cannot be kept under this name; the message is a sentence."""


def seen_by(user: User, project: Project) -> QuerySet[SavedView]:
    """Return a person's own views and those of the project, by name."""
    return project.saved_views.filter(Q(owner=user) | Q(is_shared=True)).select_related("owner")


def changed_by(user: User, project: Project, *, is_lead: bool) -> QuerySet[SavedView]:
    """Return the views that a person may rename and delete: their own, and a lead all that are shared."""
    own = Q(owner=user, is_shared=False)
    return project.saved_views.filter(own | Q(is_shared=True) if is_lead else own)


def save(*, project: Project, by: User, name: str, query: str, is_shared: bool) -> SavedView:
    """Keep a view under a name; raises `NotSaved` where another one has it."""
    if len(query) > LONGEST_QUERY:
        raise NotSaved(_("This list asks for too much to be kept: its address is too long."))
    if project.saved_views.filter(owner=by).count() >= MOST:
        raise NotSaved(_("You have %(n)d views here already; delete one first.") % {"n": MOST})
    view = SavedView(project=project, owner=by, name=name, query=query, is_shared=is_shared)
    _keep(view)
    if is_shared:
        events.record(EventKind.VIEW_SAVED, by=by, project=project, subject=name)
    return view


@transaction.atomic
def rename(*, view: SavedView, by: User, name: str) -> None:
    """Give a view another name; raises `NotSaved` where another one has it."""
    before, view.name = view.name, name
    if before == name:
        return
    _keep(view)
    if view.is_shared:
        changed = {"name": {"old": before, "new": name}}
        events.record(EventKind.VIEW_RENAMED, by=by, project=view.project, subject=before, changed=changed)


@transaction.atomic
def delete(*, view: SavedView, by: User) -> None:
    view.delete()
    if view.is_shared:
        events.record(EventKind.VIEW_DELETED, by=by, project=view.project, subject=view.name)


def _keep(view: SavedView) -> None:
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise NotSaved(_("There is a view of this name already; choose another name.")) from error
