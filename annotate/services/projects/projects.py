"""A project is made, and its settings are changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from annotate.models import Membership, Project, User
from annotate.models.members import Role
from annotate.services.labeling import places
from annotate.services.projects import quotas
from annotate.services.projects.labels import add_labels
from annotate.services.projects.refused import Refused


@transaction.atomic
def create_project(
    *,
    by: User,
    name: str,
    slug: str,
    task: str,
    labels: Iterable[tuple[str, str]],
    guidelines: str = "",
    constraints: Mapping[str, object] | None = None,
) -> Project:
    """Create a project led by `by`; `labels` are (name, description) in the order people see them."""
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
    Membership.objects.create(project=project, user=by, role=Role.LEAD)
    add_labels(project=project, labels=labels)
    return project


@transaction.atomic
def change_settings(*, project: Project, changes: Mapping[str, object]) -> Project:
    """Set the named fields. New guidelines get a new version, which annotations record from then on.

    Another number of annotators per document holds for what is queued and decided already, too.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if "guidelines" in changes and changes["guidelines"] != project.guidelines:
        project.guidelines_version += 1
    before = project.annotators_per_document
    for field, value in changes.items():
        setattr(project, field, value)
    project.full_clean(validate_unique=False)
    project.save()
    if project.annotators_per_document != before:
        places.fit(project=project)
    return project
