"""What the labelling page reads within its transaction, as queries that are written once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Exists, Q

from annotate.models import Annotation, Assignment, Card, Decision, Document, User
from annotate.services.compiled import CompiledQuery

Rows = Any  # a values_list; its own type depends on every field
PLACE = ("pk", "document_id", "state", "card", "annotator_id", "batch__version__number")


def _free_or_mine(project: int, annotator: int, now: datetime) -> Rows:
    held = _locked(project).leased().filter(Q(annotator=annotator) | Q(expires_at__lt=now))
    return held.order_by("rank").values_list(*PLACE)


def _next_waiting(project: int, annotator: int) -> Rows:
    waiting = _locked(project).waiting().open_to(User(pk=annotator))
    return waiting.order_by("rank").values_list(*PLACE)[:1]


def _locked(project: int) -> Any:
    return Assignment.objects.filter(project=project).select_for_update(skip_locked=True, of=("self",))


def _document(document: int) -> Rows:
    return Document.objects.filter(pk=document).values_list(
        "text",
        "lane",
        "prediction__version_id",
        "prediction__version__number",
        "prediction__scores",
        "prediction__decided",
    )


def _card(key: uuid.UUID, annotator: int, project: int) -> Rows:
    # The lock makes the second of two equal requests wait for the decision of the first.
    cards = Card.objects.select_for_update(of=("self",))
    given = cards.filter(key=key, annotator=annotator, document__project=project)
    return given.values_list("document_id", "shown_version_id", "shown")


def _standing(document: int, annotator: int, card: uuid.UUID) -> Rows:
    mine = Annotation.objects.filter(document=document, annotator=annotator)
    return mine.values_list("pk", Exists(Decision.objects.filter(card=card)))


FREE_OR_MINE = CompiledQuery(_free_or_mine, project=int, annotator=int, now=datetime)
NEXT_WAITING = CompiledQuery(_next_waiting, project=int, annotator=int)
DOCUMENT = CompiledQuery(_document, document=int)
CARD = CompiledQuery(_card, key=uuid.UUID, annotator=int, project=int)
STANDING = CompiledQuery(_standing, document=int, annotator=int, card=uuid.UUID)
