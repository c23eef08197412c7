"""A person's own decisions in a project, newest first."""

from __future__ import annotations

from django.db.models.functions import Left

from annotate.models import Annotation, Project, User

PAGE = 50
START = 160  # characters of a text that tell one from another


def decided(
    *, project: Project, annotator: User, label: int | None = None, before: int | None = None
) -> list[Annotation]:
    """Return a page of decisions older than `before`, and one more where there are more.

    `start` of each is the beginning of its text: texts may be long.
    """
    own = Annotation.objects.filter(project=project, annotator=annotator)
    if label is not None:
        own = own.with_label(label)
    if before is not None:
        own = own.filter(pk__lt=before)
    rows = own.annotate(start=Left("document__text", START)).prefetch_related(
        "choices__label", "spans__label"
    )
    return list(rows.order_by("-pk")[: PAGE + 1])
