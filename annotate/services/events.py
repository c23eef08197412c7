"""The event log: whoever changes something records it here, in the transaction of the change."""

from __future__ import annotations

from annotate.models import Document, Event, Project, User
from annotate.models.events import EventKind
from training.types import Json


def record(
    kind: EventKind,
    *,
    by: User | None,
    project: Project | None = None,
    document: Document | None = None,
    subject: str = "",
    **details: Json,
) -> Event:
    """Add an event. `by` is nobody where a command of the site's own machine did it.

    `subject` names the label, member, key or file that it was done to.
    """
    return Event.objects.create(
        kind=kind,
        by=by,
        by_name=by.get_username() if by else "",
        project_id=project.pk if project else document.project_id if document else None,
        project_name=project.name if project else "",
        document_id=document.pk if document else None,
        subject=subject[:255],
        details=details,
    )
