"""What leads and reviewers write about a document, and whom they name in it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from annotate.models import Comment, Document, Mention, Project, User
from annotate.models.annotations import Outcome
from annotate.models.events import EventKind
from annotate.services import events

LONGEST = 5000  # characters
NAMED = re.compile(r"(?<![\w.@+-])@([\w.@+-]+)")


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment, or the reason that somebody gave for a flag or a skip; `outcome` says which of these."""

    at: datetime
    author: User
    text: str
    outcome: str = ""


def of_document(document: Document) -> QuerySet[Comment]:
    return Comment.objects.filter(document=document).select_related("author")


def remarks(document: Document) -> list[Remark]:
    """Return what was written about a document, the oldest first, reasons of flags and skips among it."""
    aside = document.annotations.filter(outcome__in=(Outcome.FLAGGED, Outcome.SKIPPED)).exclude(reason="")
    found = [
        Remark(row.updated_at, row.annotator, row.reason, row.get_outcome_display())
        for row in aside.select_related("annotator")
    ]
    found += [Remark(row.created_at, row.author, row.text) for row in of_document(document)]
    return sorted(found, key=lambda remark: remark.at)


@transaction.atomic
def add(*, document: Document, by: User, key: uuid.UUID, text: str) -> Comment:
    """Keep a comment; the same key again changes nothing. The event does not repeat what it says."""
    comment, is_new = Comment.objects.get_or_create(
        key=key, defaults={"document": document, "author": by, "text": text}
    )
    if is_new:
        Mention.objects.bulk_create(
            Mention(comment=comment, user=user) for user in named(document.project, text) if user != by
        )
        events.record(EventKind.COMMENTED, by=by, project=document.project, document=document)
    return comment


def named(project: Project, text: str) -> QuerySet[User]:
    """Return the members whom a text names. A sign that ends a sentence may belong to a name, or may not."""
    names = set()
    for word in NAMED.findall(text):
        while word:
            names.add(word)
            word = word[:-1] if word[-1] in ".@+-" else ""
    members = User.objects.filter(memberships__project=project, is_active=True)
    return members.filter(username__in=names).order_by("pk")


def mentions(*, project: Project, user: User) -> QuerySet[Mention]:
    """Return the comments of a project that name somebody, the newest first."""
    mine = Mention.objects.filter(user=user, comment__document__project=project)
    return mine.select_related("comment__author", "comment__document").order_by("-pk")


def note_opened(shown: QuerySet[Mention]) -> None:
    """Keep that somebody has seen comments that name them."""
    keys = list(shown.filter(opened_at=None).values_list("pk", flat=True))
    if keys:
        Mention.objects.filter(pk__in=keys).update(opened_at=timezone.now())


def not_opened(*, user: User, projects: Collection[Project]) -> dict[int, int]:
    """Count for each project the comments that name somebody and that they have not opened."""
    mine = Mention.objects.filter(user=user, opened_at=None, comment__document__project__in=projects)
    counted = mine.order_by().values_list("comment__document__project").annotate(n=Count("pk"))
    return dict(counted)
