"""A project is made, and its settings are changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotate.models import Membership, Project, User
from annotate.models.events import EventKind
from annotate.models.members import Role
from annotate.services import events
from annotate.services.labeling import places
from annotate.services.projects import guidelines as guidelines_service
from annotate.services.projects import quotas
from annotate.services.projects.labels import add_labels
from annotate.services.projects.refused import Refused
from training.types import Json


@transaction.atomic
def create_project(
    *,
    by: User,
    name: str,
    slug: str,
    task: str,
    labels: Iterable[tuple[str, str]],
    span_labels: Iterable[tuple[str, str]] = (),
    guidelines: str = "",
    constraints: Mapping[str, object] | None = None,
) -> Project:
    """Create a project led by `by`; `labels` are (name, description) in the order people see them.

    `span_labels` are those of pieces of the text, in a project that has labels of both kinds.
    """
    quotas.check_projects(by)
    try:
        with transaction.atomic():
            project = Project.objects.create(
                name=name,
                slug=slug,
                task=task,
                guidelines=guidelines,
                constraints=dict(constraints or {}),
                created_by=by,
            )
    except (
        IntegrityError
    ) as error:  # not asked before: two people may ask at once and both be told that it is free
        sentence = _("A project with the short name “%(slug)s” exists already; choose another.")
        raise Refused(sentence % {"slug": slug}, "slug") from error
    guidelines_service.keep(project=project, by=by)
    Membership.objects.create(project=project, user=by, role=Role.LEAD)
    events.record(EventKind.PROJECT_CREATED, by=by, project=project, subject=slug, task=task)
    add_labels(project=project, labels=labels, by=by)
    add_labels(project=project, labels=span_labels, by=by, of_spans=True)
    return project


@transaction.atomic
def set_up(*, project: Project, by: User, changes: Mapping[str, str]) -> Project:
    """Give a project that began with its file its name, short name and task.

    The task is fixed once there is a document or a label. Raises `Refused`.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.documents.exists() or project.labels.exists():
        raise Refused(_("This project has documents or labels already, so its task is fixed."))
    slug = changes["slug"]
    if Project.objects.filter(slug=slug).exclude(pk=project.pk).exists():
        sentence = _("A project with the short name “%(slug)s” exists already; choose another.")
        raise Refused(sentence % {"slug": slug}, "slug")
    return change_settings(project=project, changes=changes, by=by)


@transaction.atomic
def change_settings(*, project: Project, changes: Mapping[str, object], by: User | None = None) -> Project:
    """Set the named fields. New guidelines get a new version, which annotations record from then on.

    Another number of annotators per document holds for what is queued and decided already, too.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if "guidelines" in changes and changes["guidelines"] != project.guidelines:
        project.guidelines_version += 1
    before = {field: getattr(project, field) for field in changes}
    annotators = project.annotators_per_document
    for field, value in changes.items():
        setattr(project, field, value)
    project.full_clean(validate_unique=False)
    project.save()
    if before.get("guidelines", project.guidelines) != project.guidelines:
        guidelines_service.keep(project=project, by=by)
    if project.annotators_per_document != annotators:
        places.fit(project=project)
    changed = {
        field: _told(project, field, old) for field, old in before.items() if old != getattr(project, field)
    }
    if changed:
        events.record(EventKind.SETTINGS_CHANGED, by=by, project=project, changed=changed)
    return project


def _told(project: Project, field: str, old: Any) -> dict[str, Json]:
    """Return the old and the new value of a setting; of the guidelines, which are long, the version alone."""
    if field == "guidelines":
        return {"version": project.guidelines_version}
    return {"old": old, "new": getattr(project, field)}
