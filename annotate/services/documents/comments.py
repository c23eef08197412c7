"""What leads write about a document."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models import QuerySet

from annotate.models import Comment, Document, User
from annotate.models.events import EventKind
from annotate.services import events

LONGEST = 5000  # characters


def of_document(document: Document) -> QuerySet[Comment]:
    return Comment.objects.filter(document=document).select_related("author")


@transaction.atomic
def add(*, document: Document, by: User, key: uuid.UUID, text: str) -> Comment:
    """Keep a comment; the same key again changes nothing. The event does not repeat what it says."""
    comment, is_new = Comment.objects.get_or_create(
        key=key, defaults={"document": document, "author": by, "text": text}
    )
    if is_new:
        events.record(EventKind.COMMENTED, by=by, project=document.project, document=document)
    return comment
