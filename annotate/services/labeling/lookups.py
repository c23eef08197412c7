"""What the labelling page reads within its transaction, as queries that are written once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db.models import Exists, Q

from annotate.models import Annotation, Assignment, Card, Decision, User
from annotate.services.labeling.compiled import CompiledQuery

Rows = Any  # a values_list; its own type depends on every field
# A place with all that its card shows: once its SQL is written, a join costs less than another query.
PLACE = (
    "pk",
    "state",
    "card",
    "annotator_id",
    "batch__version__number",
    "document_id",
    "document__text",
    "document__lane",
    "document__prediction__version_id",
    "document__prediction__version__number",
    "document__prediction__scores",
    "document__prediction__decided",
)


def _free_or_mine(project: int, annotator: int, now: datetime) -> Rows:
    held = _locked(project).leased().filter(Q(annotator=annotator) | Q(expires_at__lt=now))
    return held.order_by("rank").values_list(*PLACE)


def _next_waiting(project: int, annotator: int) -> Rows:
    waiting = _locked(project).waiting().open_to(User(pk=annotator))
    return waiting.order_by("rank").values_list(*PLACE)[:1]


def _locked(project: int) -> Any:
    return Assignment.objects.filter(project=project).select_for_update(skip_locked=True, of=("self",))


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
CARD = CompiledQuery(_card, key=uuid.UUID, annotator=int, project=int)
STANDING = CompiledQuery(_standing, document=int, annotator=int, card=uuid.UUID)
